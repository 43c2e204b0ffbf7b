//! The clock, against upstream's.

use std::time::{Duration, SystemTime};

use super::check::Check;
use super::upstream::Answer;

/// `Date` tells whole seconds, and an answer takes some time to come.
const CLOSE: Duration = Duration::from_secs(5);

/// Members correct their clocks by upstream's, up to a day.
const FAR: Duration = Duration::from_secs(24 * 3600);

const REMEDY: &str = "have the machine's clock set by NTP";

/// How far the clock is from upstream's.
pub(crate) fn check(asked: Option<&Answer>) -> Check {
    let Some(date) = asked.and_then(|answer| answer.date.as_deref()) else {
        return Check::warn(
            "clock",
            "not checked: upstream has not told the time",
            "see what is said of upstream",
        );
    };
    let (Ok(theirs), Some(answer)) = (httpdate::parse_http_date(date), asked) else {
        let remedy = "see that --upstream (GHMESH_UPSTREAM) is GitHub's API";
        return Check::warn("clock", "not checked: upstream's Date is no date", remedy);
    };
    compare(answer.received, theirs)
}

fn compare(ours: SystemTime, theirs: SystemTime) -> Check {
    let (apart, direction) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let seconds = apart.as_secs();
    let found = format!("{seconds} s {direction} upstream's");
    if apart <= CLOSE {
        Check::pass("clock", "agrees with upstream's")
    } else if apart <= FAR {
        Check::warn("clock", found, REMEDY)
    } else {
        Check::fail("clock", found, REMEDY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Status;

    #[test]
    fn a_clock_is_compared_in_both_directions() {
        let now = SystemTime::UNIX_EPOCH + 10 * FAR;
        let [second, minute] = [Duration::from_secs(1), Duration::from_secs(60)];
        assert_eq!(compare(now, now - second).status(), Status::Pass);
        assert_eq!(compare(now, now + second).status(), Status::Pass);
        let ahead = compare(now, now - minute);
        assert_eq!(ahead.status(), Status::Warn);
        assert_eq!(ahead.found(), "60 s ahead of upstream's");
        assert_eq!(ahead.remedy(), Some(REMEDY));
        let behind = compare(now, now + 2 * FAR);
        assert_eq!(behind.status(), Status::Fail);
        assert_eq!(behind.found(), "172800 s behind upstream's");
    }

    #[test]
    fn a_clock_that_cannot_be_compared_is_not_passed() {
        assert_eq!(check(None).status(), Status::Warn);
    }
}
