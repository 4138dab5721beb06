//! Root's privileges, given up for good. The process has one thread, so what is said to it is said to the process.

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, getegid, geteuid, getgid, getuid};
use rustix::thread::{Gid, Uid};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::account::Account;
use crate::failure::{Failure, Problem, Status};

/// Keeps what is in memory from core dumps and from tracers; execve takes that back for the program.
pub fn hide_memory() {
    // Of a kernel that refuses, nothing better is to be had.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
}

/// Refuses privileges to everything that this process becomes and starts.
pub fn refuse_new() -> Result<(), Failure> {
    set_no_new_privs(true).map_err(|error| failure("cannot refuse new privileges", error))
}

/// Says whether this process can become a user: root can, and whoever is that user already.
pub fn check(account: &Account) -> Result<(), Failure> {
    if geteuid().is_root() || is_already(account) { Ok(()) } else { Err(not_root(account)) }
}

fn is_already(account: &Account) -> bool {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    (getuid(), geteuid(), getgid(), getegid()) == (uid, uid, gid, gid)
}

/// Becomes a user, and makes sure that there is no way back.
///
/// Whoever is that user already, and is not root, stays as it is.
pub fn become_user(account: &Account) -> Result<(), Failure> {
    check(account)?;
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let what = format!("cannot become user {}", account.uid);
    let doing = |error| failure(&what, error);
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_thread_groups(&groups).map_err(doing)?;
    set_thread_res_gid(gid, gid, gid).map_err(doing)?;
    set_thread_res_uid(uid, uid, uid).map_err(doing)?;
    if !is_already(account) || (!uid.is_root() && can_return()) {
        let problem = Problem::new(format!("{what} for good: root's privileges could be had back"));
        return Err(Failure::new(Status::CannotBecome, problem));
    }
    Ok(())
}

/// Returns whether root's numbers or its power to change groups can be had again.
fn can_return() -> bool {
    // Setting the groups that are set changes nothing, and needs the power to set any.
    let groups = rustix::process::getgroups().unwrap_or_default();
    set_thread_res_uid(None, Uid::ROOT, None).is_ok()
        || set_thread_res_uid(Uid::ROOT, None, None).is_ok()
        || set_thread_groups(&groups).is_ok()
}

fn failure(what: &str, error: Errno) -> Failure {
    let problem = Problem::new(format!("{what}: {}", std::io::Error::from(error)));
    let problem = match error {
        Errno::PERM => problem.detail(
            "it needs the capabilities SETUID and SETGID: give them, or start it as that user",
        ),
        Errno::INVAL => problem.detail("its user namespace has no such number"),
        _ => problem,
    };
    Failure::new(Status::CannotBecome, problem)
}

fn not_root(account: &Account) -> Failure {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let wanted = format!("{}:{}", account.uid, account.gid);
    let problem = Problem::new(format!(
        "cannot become user {wanted}: this is {uid}:{gid}, and only root can"
    ))
    .detail("leave --user out, or start it as root");
    Failure::new(Status::CannotBecome, problem)
}
