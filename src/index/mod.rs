//! Nearest neighbours among unit vectors within a scope.
