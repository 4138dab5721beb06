//! The command line on top of the engine: parse, call, print.

mod bases;
mod commands;
mod environments;
mod exit;
mod failure;
mod printer;
mod progress;
mod registry;
mod request;
mod signing;
mod terminal;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub use exit::Exit;
use failure::Failure;
use printer::Printer;

/// Turn one tested build output into deb, rpm, OCI image and VM disk: one recipe, one tree
///
/// bake needs no daemon, no root, no Docker and no VM, and gives the same bytes on every machine.
#[derive(Debug, Parser)]
#[command(name = "bake", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Exit status: 0 done, 1 the answer is no or the input is at fault, \
    2 usage, 70 a bug in bake.\n\nStart with `bake check` on a recipe, then `bake build`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Options that every command takes.
#[derive(Debug, Args)]
struct Global {
    /// Write machine-readable JSON Lines to stdout
    #[arg(long, global = true)]
    json: bool,
    /// Say less: no progress, no warnings
    #[arg(short, long, global = true)]
    quiet: bool,
    /// When to colour messages
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
}

/// When messages are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bake all outputs of a recipe
    Build(Box<commands::build::Build>),
    /// Pack a folder, program, jar, wheel, gem, npm tarball or archive without a recipe
    Pack(Box<commands::pack::Pack>),
    /// Check a recipe without building
    Check(commands::check::Check),
    /// Show what a build would do: steps, keys, hit or miss and why
    Plan(commands::plan::Plan),
    /// Look up base images and write down which ones are used
    Lock(Box<commands::lock::LockCommand>),
    /// Tell which base images moved since they were locked
    Outdated(Box<commands::outdated::Outdated>),
    /// Show the metadata and the tree of an artifact
    Inspect(commands::inspect::Inspect),
    /// Check artifacts against every rule of their formats, and that they hold the same tree
    Verify(commands::verify::Verify),
    /// Sign debs and rpms with OpenPGP
    Sign(Box<commands::sign::Sign>),
    /// Show what differs between two artifacts, file by file, across formats too
    Diff(commands::diff::Diff),
    /// Push outputs to a registry: images, packages, disks
    Push(Box<commands::push::Push>),
    /// Pull a release, an image or a file from a registry
    Pull(Box<commands::pull::Pull>),
    /// Copy an image or an artifact from one repository to another
    Copy(Box<commands::copy::Copy>),
    /// Let further tags lead to an image or an artifact
    Tag(Box<commands::tag::Tag>),
    /// List the tags of a repository, or what is attached to an image
    Ls(Box<commands::ls::Ls>),
    /// Look after environments: values in the open, secrets encrypted
    Env(Box<commands::env::Env>),
    /// Look after the store
    Store(commands::store::StoreCommand),
    /// Make and update package repositories: folders that any web server can serve
    Repo(commands::repo::Repo),
    /// Put an image onto another base without building it, if it would still work there
    Rebase(Box<commands::rebase::Rebase>),
    /// Boot a disk in QEMU, with its serial console on the terminal
    Run(Box<commands::run::Run>),
    /// Check and render what differs between environments; it never enters an artifact
    Config(Box<commands::config::Config>),
    /// Tools for writing recipes
    Recipe(commands::recipe::Recipe),
    /// Print a completion script for a shell
    Completions(commands::completions::Completions),
    /// Write manual pages to a folder
    Man(commands::man::Man),
}

/// Which recipe to read.
#[derive(Debug, Args)]
struct RecipeArgs {
    /// The recipe
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = "bake.toml")]
    file: PathBuf,
    /// Bake for these platforms, `host` or `all` [default: the recipe's, or this machine's if it
    /// lists none]
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
    /// Bake these outputs only
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    only: Vec<String>,
}

/// Runs the program and returns how it ended.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return printer::usage(&error),
    };
    let printer = Printer::new(&cli.global);
    if let Err(error) = crate::interrupt::watch() {
        return printer.failure(&Failure::from(error));
    }
    let outcome = match &cli.command {
        Command::Build(command) => command.run(&printer),
        Command::Pack(command) => command.run(&printer),
        Command::Check(command) => command.run(&printer),
        Command::Plan(command) => command.run(&printer),
        Command::Lock(command) => command.run(&printer),
        Command::Outdated(command) => command.run(&printer),
        Command::Inspect(command) => command.run(&printer),
        Command::Verify(command) => command.run(&printer),
        Command::Sign(command) => command.run(&printer),
        Command::Diff(command) => command.run(&printer),
        Command::Push(command) => command.run(&printer),
        Command::Pull(command) => command.run(&printer),
        Command::Copy(command) => command.run(&printer),
        Command::Tag(command) => command.run(&printer),
        Command::Ls(command) => command.run(&printer),
        Command::Env(command) => command.run(&printer),
        Command::Store(command) => command.run(&printer),
        Command::Repo(command) => command.run(&printer),
        Command::Rebase(command) => command.run(&printer),
        Command::Run(command) => command.run(&printer),
        Command::Config(command) => command.run(&printer),
        Command::Recipe(command) => command.run(&printer),
        Command::Completions(command) => command.run(&printer),
        Command::Man(command) => command.run(&printer),
    };
    outcome.unwrap_or_else(|failure| printer.failure(&failure))
}

/// Returns the command's description, for completions and manual pages.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
