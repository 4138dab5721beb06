//! The tag numbers used, each named as RPM names it (`include/rpm/rpmtag.h`).

/// Defines tags and the function that names them in messages.
macro_rules! tags {
    ($($name:ident = $number:literal;)*) => {
        $(pub(in crate::rpm) const $name: u32 = $number;)*

        /// Returns how messages call a tag, e.g. `NAME (1000)`.
        pub(in crate::rpm) fn describe(tag: u32) -> String {
            match tag {
                $($number => format!("{} ({tag})", stringify!($name)),)*
                _ => format!("tag {tag}"),
            }
        }
    };
}

/// Tags of the signature header; some of the numbers mean something else in the main header.
pub(super) mod signature {
    tags! {
        HEADERSIGNATURES = 62;
        DSA = 267;
        RSA = 268;
        SHA1 = 269;
        LONGSIZE = 270;
        LONGARCHIVESIZE = 271;
        SHA256 = 273;
        FILESIGNATURES = 274;
        FILESIGNATURELENGTH = 275;
        VERITYSIGNATURES = 276;
        VERITYSIGNATUREALGO = 277;
        OPENPGP = 278;
        SHA3_256 = 279;
        RESERVED = 999;
        SIZE = 1000;
        PGP = 1002;
        MD5 = 1004;
        GPG = 1005;
        PAYLOADSIZE = 1007;
        RESERVEDSPACE = 1008;
    }
}

tags! {
    HEADERIMMUTABLE = 63;
    HEADERI18NTABLE = 100;
    NAME = 1000;
    VERSION = 1001;
    RELEASE = 1002;
    EPOCH = 1003;
    SUMMARY = 1004;
    DESCRIPTION = 1005;
    BUILDTIME = 1006;
    BUILDHOST = 1007;
    SIZE = 1009;
    VENDOR = 1011;
    LICENSE = 1014;
    PACKAGER = 1015;
    GROUP = 1016;
    URL = 1020;
    OS = 1021;
    ARCH = 1022;
    PREIN = 1023;
    POSTIN = 1024;
    PREUN = 1025;
    POSTUN = 1026;
    FILESIZES = 1028;
    FILEMODES = 1030;
    FILERDEVS = 1033;
    FILEMTIMES = 1034;
    FILEDIGESTS = 1035;
    FILELINKTOS = 1036;
    FILEFLAGS = 1037;
    FILEUSERNAME = 1039;
    FILEGROUPNAME = 1040;
    SOURCERPM = 1044;
    FILEVERIFYFLAGS = 1045;
    PROVIDENAME = 1047;
    REQUIREFLAGS = 1048;
    REQUIRENAME = 1049;
    REQUIREVERSION = 1050;
    CONFLICTFLAGS = 1053;
    CONFLICTNAME = 1054;
    CONFLICTVERSION = 1055;
    RPMVERSION = 1064;
    CHANGELOGTIME = 1080;
    CHANGELOGNAME = 1081;
    CHANGELOGTEXT = 1082;
    PREINPROG = 1085;
    POSTINPROG = 1086;
    PREUNPROG = 1087;
    POSTUNPROG = 1088;
    OBSOLETENAME = 1090;
    COOKIE = 1094;
    FILEDEVICES = 1095;
    FILEINODES = 1096;
    FILELANGS = 1097;
    PROVIDEFLAGS = 1112;
    PROVIDEVERSION = 1113;
    OBSOLETEFLAGS = 1114;
    OBSOLETEVERSION = 1115;
    DIRINDEXES = 1116;
    BASENAMES = 1117;
    DIRNAMES = 1118;
    PAYLOADFORMAT = 1124;
    PAYLOADCOMPRESSOR = 1125;
    PAYLOADFLAGS = 1126;
    PRETRANS = 1151;
    POSTTRANS = 1152;
    PRETRANSPROG = 1153;
    POSTTRANSPROG = 1154;
    LONGFILESIZES = 5008;
    LONGSIZE = 5009;
    FILECAPS = 5010;
    FILEDIGESTALGO = 5011;
    BUGURL = 5012;
    RECOMMENDNAME = 5046;
    RECOMMENDVERSION = 5047;
    RECOMMENDFLAGS = 5048;
    SUGGESTNAME = 5049;
    SUGGESTVERSION = 5050;
    SUGGESTFLAGS = 5051;
    SUPPLEMENTNAME = 5052;
    SUPPLEMENTVERSION = 5053;
    SUPPLEMENTFLAGS = 5054;
    ENHANCENAME = 5055;
    ENHANCEVERSION = 5056;
    ENHANCEFLAGS = 5057;
    ENCODING = 5062;
    PAYLOADDIGEST = 5092;
    PAYLOADDIGESTALGO = 5093;
    PAYLOADDIGESTALT = 5097;
    RPMFORMAT = 5114;
}
