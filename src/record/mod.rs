//! One record per request, whatever happens: opened first, closed last. From it come the ring, the
//! JSONL file, the metrics and the response headers.

pub mod decision;

pub use decision::DecisionRecord;
