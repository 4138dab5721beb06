//! Scriptlets: what runs when a package comes and goes.
//!
//! Each has a tag for its text, one for its interpreter with arguments, and one for flags. A text
//! that is empty has no tag: then the interpreter alone runs.
//!
//! Specified in rpm's `docs/manual/tags.md`, "Scriptlets", and `docs/manual/scriptlet_expansion.md`;
//! the flags are those of `lib/rpmscript.hh`.

use serde::Serialize;

use super::header::Header;
use super::model::{Lines, check_text, field};
use super::relations::Moment;
use super::tags;
use super::value::Value;
use crate::format::{ReadError, WriteError};

/// The interpreter within rpm, which no package provides.
pub(super) const LUA: &str = "<lua>";

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The program's path, or `<lua>` for the interpreter within rpm.
    pub interpreter: String,
    /// The program's arguments, before the script's path.
    pub arguments: Vec<String>,
    /// The script itself; empty if the program runs without one.
    pub body: String,
    /// What rpm does with it.
    pub flags: ScriptFlags,
}

/// What rpm does with a script before it runs it, and when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ScriptFlags {
    /// The text's macros are expanded on the machine that installs.
    pub expand: bool,
    /// The text is a query format of the installed package's header.
    pub qformat: bool,
    /// A failure fails the transaction element.
    pub critical: bool,
}

impl ScriptFlags {
    const EXPAND: u32 = 1 << 0;
    const QFORMAT: u32 = 1 << 1;
    const CRITICAL: u32 = 1 << 2;

    /// Returns the bits of `RPMSCRIPT_FLAG`.
    pub(super) fn bits(self) -> u32 {
        let bit = |is: bool, bit| if is { bit } else { 0 };
        bit(self.expand, Self::EXPAND)
            | bit(self.qformat, Self::QFORMAT)
            | bit(self.critical, Self::CRITICAL)
    }

    /// Returns the flags of bits; unknown ones mean nothing to rpm either.
    pub(super) fn from_bits(bits: u32) -> Self {
        Self {
            expand: bits & Self::EXPAND != 0,
            qformat: bits & Self::QFORMAT != 0,
            critical: bits & Self::CRITICAL != 0,
        }
    }
}

impl Script {
    /// Returns a script for `/bin/sh`.
    pub fn shell(body: impl Into<String>) -> Self {
        Self {
            interpreter: "/bin/sh".into(),
            arguments: Vec::new(),
            body: body.into(),
            flags: ScriptFlags::default(),
        }
    }

    pub(super) fn validate(&self, name: &str) -> Result<(), WriteError> {
        let Self { interpreter, arguments, body, .. } = self;
        check_text(name, interpreter, Lines::One)?;
        if !interpreter.starts_with('/') && interpreter != LUA {
            let reason = format!("the interpreter `{interpreter}` is no path and not {LUA}");
            return field(name, reason);
        }
        arguments.iter().try_for_each(|argument| check_text(name, argument, Lines::One))?;
        if body.contains('\0') {
            return field(name, "the script has a NUL byte".into());
        }
        Ok(())
    }
}

/// What runs when a package comes and goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scripts {
    /// `PREIN`: before files are installed.
    pub pre: Option<Script>,
    /// `POSTIN`: after files were installed.
    pub post: Option<Script>,
    /// `PREUN`: before files are removed.
    pub preun: Option<Script>,
    /// `POSTUN`: after files were removed.
    pub postun: Option<Script>,
    /// `PRETRANS`: before a transaction that installs.
    pub pretrans: Option<Script>,
    /// `POSTTRANS`: after a transaction that installs.
    pub posttrans: Option<Script>,
    /// `PREUNTRANS`: before a transaction that removes; rpm before 4.19 does not run it.
    pub preuntrans: Option<Script>,
    /// `POSTUNTRANS`: after a transaction that removes; rpm before 4.19 does not run it.
    pub postuntrans: Option<Script>,
    /// `VERIFYSCRIPT`: `rpm --verify`.
    pub verify: Option<Script>,
}

/// Where one scriptlet stands in the header, and when it runs.
struct Slot {
    name: &'static str,
    moment: Moment,
    body: u32,
    program: u32,
    flags: u32,
}

const fn slot(name: &'static str, moment: Moment, body: u32, program: u32, flags: u32) -> Slot {
    Slot { name, moment, body, program, flags }
}

/// In the order of the fields of [`Scripts`].
const SLOTS: [Slot; 9] = [
    slot("pre", Moment::Pre, tags::PREIN, tags::PREINPROG, tags::PREINFLAGS),
    slot("post", Moment::Post, tags::POSTIN, tags::POSTINPROG, tags::POSTINFLAGS),
    slot("preun", Moment::Preun, tags::PREUN, tags::PREUNPROG, tags::PREUNFLAGS),
    slot("postun", Moment::Postun, tags::POSTUN, tags::POSTUNPROG, tags::POSTUNFLAGS),
    slot("pretrans", Moment::Pretrans, tags::PRETRANS, tags::PRETRANSPROG, tags::PRETRANSFLAGS),
    slot(
        "posttrans",
        Moment::Posttrans,
        tags::POSTTRANS,
        tags::POSTTRANSPROG,
        tags::POSTTRANSFLAGS,
    ),
    slot(
        "preuntrans",
        Moment::Preuntrans,
        tags::PREUNTRANS,
        tags::PREUNTRANSPROG,
        tags::PREUNTRANSFLAGS,
    ),
    slot(
        "postuntrans",
        Moment::Postuntrans,
        tags::POSTUNTRANS,
        tags::POSTUNTRANSPROG,
        tags::POSTUNTRANSFLAGS,
    ),
    slot(
        "verify",
        Moment::Verify,
        tags::VERIFYSCRIPT,
        tags::VERIFYSCRIPTPROG,
        tags::VERIFYSCRIPTFLAGS,
    ),
];

impl Scripts {
    fn all(&self) -> [&Option<Script>; 9] {
        let Self { pre, post, preun, postun, pretrans, posttrans, .. } = self;
        let Self { preuntrans, postuntrans, verify, .. } = self;
        [pre, post, preun, postun, pretrans, posttrans, preuntrans, postuntrans, verify]
    }

    fn slots(&self) -> impl Iterator<Item = (&'static Slot, &Script)> + '_ {
        let all = SLOTS.iter().zip(self.all());
        all.filter_map(|(slot, script)| Some((slot, script.as_ref()?)))
    }

    /// Returns the scripts that there are, with when they run.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Moment, &Script)> + '_ {
        self.slots().map(|(slot, script)| (slot.moment, script))
    }

    pub(super) fn validate(&self) -> Result<(), WriteError> {
        self.slots().try_for_each(|(slot, script)| script.validate(slot.name))
    }

    /// Puts the scripts into a header.
    pub(super) fn put(&self, header: &mut Header) {
        for (slot, script) in self.slots() {
            if !script.body.is_empty() {
                header.put_string(slot.body, &script.body);
            }
            if script.flags != ScriptFlags::default() {
                header.put_int32(slot.flags, script.flags.bits());
            }
            if script.arguments.is_empty() {
                header.put_string(slot.program, &script.interpreter);
                continue;
            }
            let words = std::iter::once(&script.interpreter).chain(&script.arguments);
            header.put(slot.program, Value::StringArray(words.map(String::as_bytes).collect()));
        }
    }

    /// Reads the scripts of a header.
    pub(super) fn read(header: &Header) -> Result<Self, ReadError> {
        let [pre, post, preun, postun, pretrans, posttrans, preuntrans, postuntrans, verify] =
            SLOTS.map(|slot| read_slot(header, &slot));
        Ok(Self {
            pre: pre?,
            post: post?,
            preun: preun?,
            postun: postun?,
            pretrans: pretrans?,
            posttrans: posttrans?,
            preuntrans: preuntrans?,
            postuntrans: postuntrans?,
            verify: verify?,
        })
    }
}

fn read_slot(header: &Header, slot: &Slot) -> Result<Option<Script>, ReadError> {
    let mut words = header.texts(slot.program)?;
    let body = header.string(slot.body)?;
    let flags = header.int32s(slot.flags)?.first().copied().unwrap_or_default();
    if words.is_empty() {
        let script = body.map(Script::shell);
        return Ok(script.map(|script| Script { flags: ScriptFlags::from_bits(flags), ..script }));
    }
    let interpreter = words.remove(0);
    // A program without a script runs all the same.
    let body = body.unwrap_or_default();
    let flags = ScriptFlags::from_bits(flags);
    Ok(Some(Script { interpreter, arguments: words, body, flags }))
}
