//! The closed sets of words that stand in event columns, and what follows from each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is none of the words of a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not one of: {expected}")]
pub struct UnknownWord {
    /// The text that was found.
    pub found: String,
    /// The words that are allowed, joined by commas.
    pub expected: String,
}

/// Defines an enum whose variants are words of a column: the text is the same
/// in tables, in JSON and in errors, and is written once.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All words of this set, in their natural order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it stands in tables and outputs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownWord {
                        found: text.chars().take(40).collect(),
                        expected: [$($text,)+].join(", "),
                    }),
                }
            }
        }
    };
}

words! {
    /// What became of a request.
    Outcome {
        /// Authenticated and done.
        Success = "success",
        /// Authenticated, but not allowed.
        Denied = "denied",
        /// The credential itself was refused: revoked, expired, unknown, wrong.
        Rejected = "rejected",
        /// The backend failed; says nothing about the credential.
        Error = "error",
        /// The log does not say.
        Unknown = "unknown",
    }
}

impl Outcome {
    /// True if the backend authenticated the credential.
    ///
    /// A denied request is a use: the credential was taken, only the action was not.
    pub const fn is_use(self) -> bool {
        matches!(self, Self::Success | Self::Denied)
    }

    /// True if the credential itself was refused.
    pub const fn is_rejected(self) -> bool {
        matches!(self, Self::Rejected)
    }
}

words! {
    /// What kind of event a record tells of.
    Category {
        /// Someone proved an identity (a login).
        Auth = "auth",
        /// One credential obtained another.
        TokenExchange = "token_exchange",
        /// A request to a backend that presented a credential.
        Upstream = "upstream",
        /// A credential was made, changed or revoked.
        Lifecycle = "lifecycle",
        /// A secret version was fetched from its store; not a use.
        SecretRead = "secret_read",
    }
}

words! {
    /// How closely an event names the credential it used.
    Attribution {
        /// The log names the credential.
        Exact = "exact",
        /// The log names a credential derived from it.
        Derived = "derived",
        /// The log names only who acted; never proof that a version was used.
        Principal = "principal",
        /// The log names neither.
        None = "none",
    }
}

impl Attribution {
    /// True if an event of this grade counts towards the last use of a version.
    pub const fn counts_as_use(self) -> bool {
        matches!(self, Self::Exact | Self::Derived)
    }
}

words! {
    /// How far the time of an event can be trusted.
    TimeQuality {
        /// Date, time and zone stood in the record.
        Exact = "exact",
        /// No zone stood there; UTC was taken.
        NoZone = "no_zone",
        /// No year stood there; the nearest to the file's time was taken.
        NoYear = "no_year",
        /// Whole seconds only, where the source could have said more.
        Seconds = "seconds",
    }
}

words! {
    /// The state in which a lifecycle event leaves its target.
    TargetState {
        /// May be used.
        Active = "active",
        /// Switched off, and can be switched on again.
        Inactive = "inactive",
        /// Refused for good.
        Revoked = "revoked",
        /// The version that readers get by default.
        Current = "current",
        /// The version before the current one.
        Previous = "previous",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_request_is_a_use_and_a_rejected_one_is_not() {
        let uses: Vec<_> = Outcome::ALL.iter().filter(|it| it.is_use()).collect();
        assert_eq!(uses, [&Outcome::Success, &Outcome::Denied]);
        assert!(Outcome::Rejected.is_rejected());
        assert!(!Outcome::Denied.is_rejected());
    }

    #[test]
    fn a_principal_alone_never_counts_as_use() {
        assert!(!Attribution::Principal.counts_as_use());
        assert!(!Attribution::None.counts_as_use());
        assert!(Attribution::Derived.counts_as_use());
    }

    #[test]
    fn every_word_reads_back_as_itself() {
        for word in Category::ALL {
            assert_eq!(word.as_str().parse::<Category>().as_ref(), Ok(word));
            let json = serde_json::to_string(word).unwrap();
            assert_eq!(json, format!("\"{word}\""));
        }
        for word in TargetState::ALL {
            assert_eq!(word.as_str().parse::<TargetState>().as_ref(), Ok(word));
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = "ok".parse::<Outcome>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`ok` is not one of: success, denied, rejected, error, unknown"
        );
    }
}
