//! Where GitHub's API is.

use std::fmt;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::{InvalidUpstream, UpstreamError};
use crate::graphql;
use crate::hosts;

/// Where an Enterprise Server has what uploads.github.com has.
const UPLOADS: &str = "/api/uploads";

/// Where an Enterprise Server has downloads, if it keeps them
/// [apart](https://docs.github.com/en/enterprise-server/admin/configuring-settings/hardening-security-for-your-enterprise/enabling-subdomain-isolation).
const SUBDOMAINS: [&str; 5] = ["assets", "codeload", "media", "raw", "uploads"];

/// Where GitHub's API is: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise
/// Server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end; empty where the API is at the root.
    path: String,
}

impl BaseUrl {
    /// The URL in `text`.
    pub fn parse(text: &str) -> Result<Self, InvalidUpstream> {
        // A password in a URL would be seen wherever the error is.
        let shown = match text.rsplit_once('@') {
            Some((_, host)) => format!("…@{host}"),
            None => text.to_owned(),
        };
        let invalid = |reason| InvalidUpstream {
            url: shown.clone(),
            reason,
        };
        let uri: Uri = text.parse().map_err(|_| invalid("it does not parse"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| invalid("it has no scheme"))?;
        if scheme != Scheme::HTTPS && scheme != Scheme::HTTP {
            return Err(invalid("its scheme is neither https nor http"));
        }
        let authority = parts.authority.ok_or_else(|| invalid("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("it holds credentials; give a token instead"));
        }
        // The same API is the same one however it is written: its name is part of each family.
        let port = match scheme == Scheme::HTTPS {
            true => ":443",
            false => ":80",
        };
        let name = authority.as_str().to_ascii_lowercase();
        let name = name.strip_suffix(port).unwrap_or(&name);
        let authority: Authority = name
            .parse()
            .map_err(|_| invalid("its host does not parse"))?;
        let target = parts.path_and_query;
        if target
            .as_ref()
            .is_some_and(|target| target.query().is_some())
        {
            return Err(invalid("it has a query"));
        }
        let path = target.as_ref().map_or("", PathAndQuery::path);
        Ok(Self {
            scheme,
            authority,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// Whether a host is this API's, one of its hosts for uploads, or one from which is downloaded:
    /// whether a [`Client`](crate::Client) sends requests there.
    pub fn reaches(&self, host: &str) -> bool {
        self.is_own(host)
            || host.eq_ignore_ascii_case(hosts::API)
            || host.eq_ignore_ascii_case(hosts::UPLOADS)
            || self.has_downloads_at(host)
    }

    /// The URI at which a [`Client`](crate::Client) has to be asked for what is at `target`, path
    /// and query, on this host. `api.github.com` and `uploads.github.com` mean this API, wherever
    /// it is, and so does an Enterprise Server's host with a path below `/api`; other hosts, and
    /// what else an Enterprise Server has, stay what they are.
    pub fn locate(&self, host: &str, target: &PathAndQuery) -> Uri {
        if host.eq_ignore_ascii_case(hosts::UPLOADS) {
            // As an Enterprise Server has it.
            let target = format!("{UPLOADS}{target}");
            return target.parse().unwrap_or_else(|_| Uri::from_static(UPLOADS));
        }
        let elsewhere = match self.is_own(host) {
            true if self.has_api_at(target.path()) => None,
            true => Some((self.scheme.clone(), self.authority.as_str())),
            false => self.has_downloads_at(host).then_some((Scheme::HTTPS, host)),
        };
        let elsewhere = elsewhere.map(|(scheme, authority)| {
            let uri = Uri::builder().scheme(scheme).authority(authority);
            uri.path_and_query(target.clone()).build()
        });
        match elsewhere {
            Some(Ok(uri)) => uri,
            _ => target.clone().into(),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case(self.authority.host())
    }

    /// Whether a path at the API's own host is the API's. An Enterprise Server has its pages, and
    /// what is downloaded from them, on the same host.
    pub(crate) fn has_api_at(&self, path: &str) -> bool {
        let is_below = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.path.is_empty() || is_below("/api") || is_below(&self.path)
    }

    /// Whether GitHub's downloads come from this host: one of github.com's, or of the Enterprise
    /// Server's where the API is one's.
    pub(crate) fn has_downloads_at(&self, host: &str) -> bool {
        let is_enterprise = !self.path.is_empty();
        let is_subdomain = || {
            let (name, above) = host.split_once('.').unwrap_or_default();
            let is = |known: &&str| name.eq_ignore_ascii_case(known);
            self.is_own(above) && SUBDOMAINS.iter().any(is)
        };
        hosts::is_githubs(host) || (is_enterprise && (self.is_own(host) || is_subdomain()))
    }

    /// Host and port.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The scheme, host and port: what an absolute URL at this API begins with.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The path below which the API lies, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The path below the API's own: clients of an Enterprise Server say `/api/v3/user` for
    /// `/user`.
    pub(crate) fn api_path<'a>(&self, path: &'a str) -> &'a str {
        // <https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql>
        if path == "/api/graphql" {
            return graphql::PATH;
        }
        for prefix in [self.path(), "/api/v3"] {
            match path.strip_prefix(prefix) {
                Some(rest) if !prefix.is_empty() && rest.starts_with('/') => return rest,
                _ => {}
            }
        }
        path
    }

    /// The URI of a target below the API's own path.
    pub(crate) fn join(&self, target: &str) -> Result<Uri, UpstreamError> {
        if target.starts_with("/api/uploads/") {
            return self.join_uploads(target);
        }
        // An Enterprise Server has GraphQL beside version 3, not below it.
        let root = self.path.strip_suffix("/v3");
        let path = match root {
            Some(root) if target == graphql::PATH => root,
            _ => &self.path,
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{path}{target}"))
            .build()
            .map_err(|_| UpstreamError::InvalidTarget)
    }
}

impl BaseUrl {
    /// Where files go: <https://docs.github.com/en/rest/releases/assets#upload-a-release-asset>.
    fn join_uploads(&self, target: &str) -> Result<Uri, UpstreamError> {
        let is_github = self.authority.host().eq_ignore_ascii_case(hosts::API);
        let builder = Uri::builder().scheme(self.scheme.clone());
        let builder = if is_github {
            let below = target.strip_prefix(UPLOADS).unwrap_or(target);
            builder.authority(hosts::UPLOADS).path_and_query(below)
        } else {
            builder
                .authority(self.authority.clone())
                .path_and_query(target)
        };
        builder.build().map_err(|_| UpstreamError::InvalidTarget)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests;
