//! Exit codes: 0 done, 1 the answer is no or the input is at fault, 2 usage, 70 our bug.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done,
    /// The answer is no: problems found, trees differ; or the input is at fault.
    No,
    /// The command line is wrong; clap uses the same number.
    Usage,
    /// A bug of ours (`EX_SOFTWARE` of sysexits.h).
    Bug,
}

impl Exit {
    /// Returns the number the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Bug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
