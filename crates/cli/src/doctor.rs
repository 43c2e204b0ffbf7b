//! `ghmesh doctor`: what keeps a fleet from sharing, and what helps.
//!
//! It is given what `serve` is given, and looks at what `serve` would use. It joins the fleet for
//! a moment, as a member that has nothing and leaves with a goodbye.

use std::io::IsTerminal;
use std::process::ExitCode;

use crate::args::DoctorArgs;
use crate::config::{self, Sharing};
use crate::env::Env;
use crate::log;
use crate::out;

mod check;
mod clock;
mod credentials;
mod data_dir;
mod peers;
mod ports;
mod upstream;

use check::{Check, Status, in_lines};

/// Checks one thing after the other, and prints what came of it.
pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let env = Env::Process;
    let settings = args.settings.complete(&env)?;
    if settings.verbose > 0 || env.get("GHMESH_LOG")?.is_some() {
        // What is wrong, the checks say; the log would say it twice.
        log::start(&settings, &env)?;
    }
    let upstream = config::upstream(&settings)?;
    let token = config::token(&settings, &env);
    let known_token = token.as_ref().ok().and_then(Option::as_ref);

    progress(format_args!("asking {upstream} …"));
    let asked = upstream::ask(&upstream, known_token).await;

    let mut checks = vec![credentials::token(&token, asked.as_ref().ok())];
    let (secret, sharing) = credentials::secret(&settings, &env, known_token).await;
    checks.push(secret);
    checks.extend(upstream::checks(&upstream, &asked));
    let (ports, running) = ports::clients(&settings).await;
    checks.extend(ports);
    if let Sharing::On { net, .. } = &sharing {
        checks.extend(ports::peers(&net.listen, running.as_ref()));
    }
    let disk = config::disk(&settings, &sharing);
    checks.push(data_dir::check(&settings, &disk));
    let disk = disk.ok().flatten();
    match &sharing {
        Sharing::Off => checks.push(Check::warn(
            "peers",
            "not looked for: sharing is off",
            "see what is said of the secret",
        )),
        Sharing::On { secrets, net } => {
            let dir = disk.as_ref().map(|disk| disk.dir.as_path());
            progress(format_args!("joining the fleet for a moment …"));
            checks.extend(peers::checks(secrets, net, dir).await);
        }
    }
    checks.push(clock::check(asked.as_ref().ok()));

    if args.json {
        out::json(&checks)?;
    } else {
        let in_colour = std::io::stdout().is_terminal() && !env.no_color();
        out::line(in_lines(&checks, in_colour))?;
    }
    let fails = checks.iter().any(|check| check.status() == Status::Fail);
    Ok(if fails {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Says what is waited for, to somebody who waits.
fn progress(what: std::fmt::Arguments<'_>) {
    if std::io::stderr().is_terminal() {
        eprintln!("{what}");
    }
}

#[cfg(test)]
mod tests;
