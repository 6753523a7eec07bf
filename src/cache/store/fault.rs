//! What can go wrong with the file, as far as it makes a difference to us.

use std::fmt;

use rusqlite::ErrorCode;

/// Why the file did not do what was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another process holds it.
    Held,
    /// No room on the disk, or within the file's own budget.
    Full,
    /// Not a file of ours, or not whole any more: it is begun anew.
    Damaged(String),
    /// Anything else; tried again later.
    Io(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("another process holds it"),
            Self::Full => f.write_str("no space is left"),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::Io(why) => f.write_str(why),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        // Our statements are fixed: one that does not fit the schema, or reads what the schema does
        // not hold, says that the file is not as we made it.
        if matches!(
            error,
            rusqlite::Error::SqlInputError { .. }
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
        ) {
            return Self::Damaged(error.to_string());
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Held,
            // A statement that the schema does not fit, a row that breaks what the schema
            // promises: the file is not as we made it.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::SchemaChanged
                | ErrorCode::TooBig
                | ErrorCode::OutOfMemory
                // By its own header; on a disk that is read-only it cannot be removed either.
                | ErrorCode::ReadOnly
                | ErrorCode::Unknown,
            ) => Self::Damaged(error.to_string()),
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            std::io::ErrorKind::WouldBlock => Self::Held,
            _ => Self::Io(error.to_string()),
        }
    }
}
