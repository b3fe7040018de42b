//! Where a response has the token that a bot presents in its later calls.

use serde_json::Value as Json;

use crate::diag::{Problem, Scalar, SyntaxNode, code};

/// A JSON pointer into the body, or the name of a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// A JSON pointer.
    Body(String),
    /// Name of a cookie that the response sets.
    Cookie(String),
}

impl TokenPlace {
    /// Returns the token of a response.
    pub(super) fn find<'r>(
        &self,
        body: &'r Json,
        headers: &'r [(String, String)],
    ) -> Option<&'r str> {
        match self {
            Self::Body(pointer) => body.pointer(pointer)?.as_str(),
            Self::Cookie(name) => {
                let set =
                    |(header, _): &&(String, String)| header.eq_ignore_ascii_case("set-cookie");
                let cookies = headers.iter().filter(set).filter_map(|(_, value)| {
                    let cookie = value.split_once(';').map_or(value.as_str(), |(first, _)| first);
                    cookie.split_once('=')
                });
                let mut named = cookies.filter(|(known, _)| known.trim() == name);
                named.next().map(|(_, value)| value.trim())
            }
        }
    }

    /// Returns the place as it is written in a file.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Body(pointer) => pointer.clone(),
            Self::Cookie(name) => format!("cookie:{name}"),
        }
    }
}

impl Scalar for TokenPlace {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        match text.strip_prefix("cookie:") {
            Some(name) if !name.is_empty() => Ok(Self::Cookie(name.to_owned())),
            _ if text.starts_with('/') => Ok(Self::Body(text)),
            _ => {
                let message = format!("`{text}` is not a place for a token");
                let help =
                    "write a JSON pointer into the body, such as `/access_token`, or `cookie:NAME`";
                Err(Problem::at(&node.span, code::INVALID_POINTER, message).help(help))
            }
        }
    }

    fn schema() -> Json {
        serde_json::json!({"type": "string", "pattern": "^(/|cookie:.)"})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TokenPlace;

    #[test]
    fn a_token_is_found_in_the_body_or_a_cookie() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("set-cookie", "theme=dark"),
            header("Set-Cookie", "auth=a=b; Path=/; HttpOnly"),
        ];
        let body = json!({"token": "t", "number": 1});
        let find = |place: TokenPlace| place.find(&body, &headers).map(str::to_owned);
        assert_eq!(find(TokenPlace::Body("/token".into())).as_deref(), Some("t"));
        assert_eq!(find(TokenPlace::Body("/number".into())), None);
        assert_eq!(find(TokenPlace::Cookie("auth".into())).as_deref(), Some("a=b"));
        assert_eq!(find(TokenPlace::Cookie("other".into())), None);
    }
}
