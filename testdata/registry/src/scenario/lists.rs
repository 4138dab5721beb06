//! Situations of listing tags.

use super::{Expected, PASSWORD, Scenario, USER};
use crate::auth::Auth;
use crate::kind::Kind;
use crate::rule::{Action, Match};
use crate::trace::Property;

/// Returns the scenarios.
pub(super) fn scenarios() -> Vec<Scenario> {
    let tags = || Match::kind(Kind::Tags);
    let again = "</v2/team/app/tags/list?n=2>; rel=\"next\"".to_owned();
    vec![
        Scenario::list("list", "all tags at once")
            .auth(Auth::token(USER, PASSWORD))
            .hold(&[Property::Requests(3)]),
        Scenario::list("list-pages", "two tags on a page")
            .rule(tags(), Action::TagPage(2))
            .hold(&[Property::AtLeast(Kind::Tags, 3), Property::Requests(4)]),
        Scenario::list("list-endless", "pages without end")
            .rule(tags(), Action::EndlessTags)
            .expect(Expected::Failure)
            .hold(&[Property::Requests(2001)]),
        Scenario::list("list-loop", "a page that names itself as the next")
            .rule(tags(), Action::Header("Link".to_owned(), again))
            .expect(Expected::Failure)
            .hold(&[Property::Requests(4)]),
    ]
}
