//! What to type so that a cloud makes a machine image of a disk's file.
//!
//! Each function returns lines for a shell. What only the user knows is a variable that the shell
//! insists on: the bucket, the resource group.

use std::fmt::Write;

/// A file to be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    /// The file's path.
    pub file: &'a str,
    /// The file's length in bytes.
    pub len: u64,
    /// What the image is to be called.
    pub name: &'a str,
    /// What processors it is for.
    pub architecture: Architecture,
    /// What can start it.
    pub boot: Boot,
}

/// What processors an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Those of 64 bits by AMD and Intel.
    Amd64,
    /// Those of 64 bits by Arm.
    Arm64,
}

/// What can start an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// BIOS alone.
    Bios,
    /// UEFI alone.
    Uefi,
    /// Both.
    Either,
}

/// What a file for AWS is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsFile {
    /// The disk as it is.
    Raw,
    /// A stream-optimised VMDK image.
    Vmdk,
    /// A VHD image.
    Vhd,
}

/// Returns how AWS makes an AMI of a file (`aws ec2 import-snapshot`, `register-image`).
///
/// `import-image` is not for this: it takes some distributions only and changes files in the guest.
pub fn aws(image: &Image<'_>, kind: AwsFile) -> String {
    let format = match kind {
        AwsFile::Raw => "RAW",
        AwsFile::Vmdk => "VMDK",
        AwsFile::Vhd => "VHD",
    };
    let architecture = match image.architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "arm64",
    };
    let boot = match image.boot {
        Boot::Bios => "legacy-bios",
        Boot::Uefi => "uefi",
        Boot::Either => "uefi-preferred",
    };
    let (file, name) = (quote(image.file), quote(image.name));
    let key = quote(file_name(image.file));
    let mut text = String::new();
    line(&mut text, format_args!("key={key}"));
    line(&mut text, format_args!("aws s3 cp {file} \"s3://${{BUCKET:?}}/$key\""));
    line(
        &mut text,
        format_args!(
            "task=$(aws ec2 import-snapshot --description {name} --disk-container \
             \"Format={format},UserBucket={{S3Bucket=${{BUCKET:?}},S3Key=$key}}\" \
             --query ImportTaskId --output text)"
        ),
    );
    line(&mut text, format_args!("aws ec2 wait snapshot-imported --import-task-ids \"$task\""));
    line(
        &mut text,
        format_args!(
            "snapshot=$(aws ec2 describe-import-snapshot-tasks --import-task-ids \"$task\" \
             --query 'ImportSnapshotTasks[0].SnapshotTaskDetail.SnapshotId' --output text)"
        ),
    );
    line(
        &mut text,
        format_args!(
            "aws ec2 register-image --name {name} --architecture {architecture} \
             --virtualization-type hvm --ena-support --boot-mode {boot} --imds-support v2.0 \
             --root-device-name /dev/sda1 --block-device-mappings \
             \"DeviceName=/dev/sda1,Ebs={{SnapshotId=$snapshot,VolumeType=gp3,\
             DeleteOnTermination=true}}\""
        ),
    );
    text
}

/// Returns how Compute Engine makes an image of an archive (`gcloud compute images create`).
pub fn gce(image: &Image<'_>) -> String {
    let architecture = match image.architecture {
        Architecture::Amd64 => "X86_64",
        Architecture::Arm64 => "ARM64",
    };
    let features = match image.boot {
        Boot::Bios => "GVNIC,VIRTIO_SCSI_MULTIQUEUE",
        Boot::Uefi | Boot::Either => "UEFI_COMPATIBLE,GVNIC,VIRTIO_SCSI_MULTIQUEUE",
    };
    let (file, key, name) = (quote(image.file), quote(file_name(image.file)), gce_name(image.name));
    let mut text = String::new();
    line(&mut text, format_args!("key={key}"));
    line(&mut text, format_args!("gcloud storage cp {file} \"gs://${{BUCKET:?}}/$key\""));
    line(
        &mut text,
        format_args!(
            "gcloud compute images create {name} --source-uri=\"gs://${{BUCKET:?}}/$key\" \
             --architecture={architecture} --guest-os-features={features}"
        ),
    );
    text
}

/// Returns how Azure makes an image of a fixed VHD image (`az disk create`, `az image create`).
///
/// A managed image is for amd64 alone; of another architecture there is the disk, of which a gallery
/// makes an image.
pub fn azure(image: &Image<'_>) -> String {
    let (architecture, makes_image) = match image.architecture {
        Architecture::Amd64 => ("x64", true),
        Architecture::Arm64 => ("Arm64", false),
    };
    let generation = match image.boot {
        Boot::Bios => "V1",
        Boot::Uefi | Boot::Either => "V2",
    };
    let (file, name, len) = (quote(image.file), quote(image.name), image.len);
    let mut text = String::new();
    line(&mut text, format_args!("name={name}"));
    line(
        &mut text,
        format_args!(
            "az disk create --resource-group \"${{GROUP:?}}\" --name \"$name\" --os-type Linux \
             --hyper-v-generation {generation} --architecture {architecture} \
             --upload-type Upload --upload-size-bytes {len} --sku StandardSSD_LRS"
        ),
    );
    line(
        &mut text,
        format_args!(
            "url=$(az disk grant-access --resource-group \"${{GROUP:?}}\" --name \"$name\" \
             --access-level Write --duration-in-seconds 86400 --query '[accessSas, accessSAS] | \
             [?@] | [0]' --output tsv)"
        ),
    );
    line(&mut text, format_args!("azcopy copy {file} \"$url\" --blob-type PageBlob"));
    line(
        &mut text,
        format_args!("az disk revoke-access --resource-group \"${{GROUP:?}}\" --name \"$name\""),
    );
    if makes_image {
        line(
            &mut text,
            format_args!(
                "az image create --resource-group \"${{GROUP:?}}\" --name \"$name\" \
                 --source \"$name\" --os-type Linux --hyper-v-generation {generation}"
            ),
        );
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    if text.write_fmt(line).is_ok() {
        text.push('\n');
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns the name that Compute Engine allows: 1 to 63 of `a` to `z`, digits and `-`, the first one
/// a letter, the last one no `-`.
fn gce_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut found: String = name.chars().map(plain).collect();
    if !found.starts_with(|c: char| c.is_ascii_lowercase()) {
        found.insert_str(0, "image-");
    }
    found.truncate(63);
    found.trim_end_matches('-').to_owned()
}

/// Returns text as one word of the shell.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+/:@%=,".contains(c);
    let is_option = text.starts_with('-');
    if !text.is_empty() && !is_option && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let path = if is_option { "./" } else { "" };
    format!("'{path}{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Image<'static> = Image {
        file: "dist/catalog-1.2-amd64.vmdk",
        len: 1_048_576 + 512,
        name: "catalog-1.2",
        architecture: Architecture::Amd64,
        boot: Boot::Either,
    };

    #[test]
    fn aws_imports_a_snapshot_and_registers_it() {
        let expected = "\
            key=catalog-1.2-amd64.vmdk\n\
            aws s3 cp dist/catalog-1.2-amd64.vmdk \"s3://${BUCKET:?}/$key\"\n\
            task=$(aws ec2 import-snapshot --description catalog-1.2 --disk-container \
            \"Format=VMDK,UserBucket={S3Bucket=${BUCKET:?},S3Key=$key}\" \
            --query ImportTaskId --output text)\n\
            aws ec2 wait snapshot-imported --import-task-ids \"$task\"\n\
            snapshot=$(aws ec2 describe-import-snapshot-tasks --import-task-ids \"$task\" \
            --query 'ImportSnapshotTasks[0].SnapshotTaskDetail.SnapshotId' --output text)\n\
            aws ec2 register-image --name catalog-1.2 --architecture x86_64 \
            --virtualization-type hvm --ena-support --boot-mode uefi-preferred \
            --imds-support v2.0 --root-device-name /dev/sda1 --block-device-mappings \
            \"DeviceName=/dev/sda1,Ebs={SnapshotId=$snapshot,VolumeType=gp3,\
            DeleteOnTermination=true}\"\n";
        assert_eq!(aws(&IMAGE, AwsFile::Vmdk), expected);
        let other = Image { architecture: Architecture::Arm64, boot: Boot::Uefi, ..IMAGE };
        let text = aws(&other, AwsFile::Raw);
        assert!(text.contains("\"Format=RAW,"), "{text}");
        assert!(text.contains("--architecture arm64 "), "{text}");
        assert!(text.contains("--boot-mode uefi "), "{text}");
    }

    #[test]
    fn gce_creates_an_image_of_an_archive() {
        let image = Image { file: "catalog.tar.gz", ..IMAGE };
        let expected = "\
            key=catalog.tar.gz\n\
            gcloud storage cp catalog.tar.gz \"gs://${BUCKET:?}/$key\"\n\
            gcloud compute images create catalog-1-2 \
            --source-uri=\"gs://${BUCKET:?}/$key\" --architecture=X86_64 \
            --guest-os-features=UEFI_COMPATIBLE,GVNIC,VIRTIO_SCSI_MULTIQUEUE\n";
        assert_eq!(gce(&image), expected);
        assert!(!gce(&Image { boot: Boot::Bios, ..IMAGE }).contains("UEFI"));
    }

    #[test]
    fn azure_uploads_a_disk_and_makes_an_image() {
        let text = azure(&IMAGE);
        for part in [
            "name=catalog-1.2\n",
            "--hyper-v-generation V2 --architecture x64 ",
            "--upload-type Upload --upload-size-bytes 1049088 ",
            "azcopy copy dist/catalog-1.2-amd64.vmdk \"$url\" --blob-type PageBlob\n",
            "az image create --resource-group \"${GROUP:?}\" --name \"$name\" --source \"$name\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let arm = azure(&Image { architecture: Architecture::Arm64, boot: Boot::Uefi, ..IMAGE });
        assert!(arm.contains("--architecture Arm64") && !arm.contains("az image"), "{arm}");
        assert!(azure(&Image { boot: Boot::Bios, ..IMAGE }).contains("--hyper-v-generation V1"));
    }

    #[test]
    fn names_are_words_of_the_shell_and_of_the_cloud() {
        for (text, expected) in [
            ("a-b_1.vhd", "a-b_1.vhd"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $(x)", "'it'\\''s $(x)'"),
            ("-o", "'./-o'"),
        ] {
            assert_eq!(quote(text), expected);
        }
        let long = "Ab".repeat(40);
        for (name, expected) in [
            ("Catalog 1.2~rc", "catalog-1-2-rc"),
            ("7zip", "image-7zip"),
            ("a-", "a"),
            (&long, &long.to_lowercase()[..63]),
        ] {
            assert_eq!(gce_name(name), expected);
        }
    }
}
