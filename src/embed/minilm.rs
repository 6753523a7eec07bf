//! The all-MiniLM-L6-v2 encoder on candle: token ids in, unit vectors out.
//!
//! Knows nothing of text, queues or deadlines. One loaded model is shared by all worker threads.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};

use super::DIMENSIONS;
use super::tokenise::Tokens;

/// A loaded encoder.
pub(super) struct MiniLm {
    model: BertModel,
    /// Longest input its position table knows, in tokens.
    positions: usize,
}

impl std::fmt::Debug for MiniLm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MiniLm").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl MiniLm {
    /// Builds the encoder from the bytes of `config.json` and `model.safetensors`. The weights are
    /// copied out of the buffer: mapping the file would need `unsafe`, and would crash the process
    /// if somebody shortened the file.
    pub fn load(config: &[u8], weights: Vec<u8>) -> Result<Self, candle_core::Error> {
        let config: Config = serde_json::from_slice(config).map_err(candle_core::Error::wrap)?;
        if config.hidden_size != DIMENSIONS {
            candle_core::bail!("vectors of {} components, not {DIMENSIONS}", config.hidden_size);
        }
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        Ok(Self {
            model: BertModel::load(weights, &config)?,
            positions: config.max_position_embeddings,
        })
    }

    /// Longest input in tokens.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// One vector for each text of the batch: the mean over its tokens' hidden states, scaled to
    /// unit length. Shorter texts are padded to the longest; the padding is masked out of attention
    /// and left out of the mean, so a text's vector does not depend on its company.
    pub fn embed(&self, batch: &[&Tokens]) -> Result<Vec<Vec<f32>>, candle_core::Error> {
        let Some(longest) = batch.iter().map(|tokens| tokens.ids.len()).max() else {
            return Ok(Vec::new());
        };
        let shape = (batch.len(), longest);
        let mut ids = vec![0_u32; batch.len() * longest];
        let mut mask = vec![0_u32; batch.len() * longest];
        for (row, tokens) in batch.iter().enumerate() {
            let start = row * longest;
            ids[start..start + tokens.ids.len()].copy_from_slice(&tokens.ids);
            mask[start..start + tokens.ids.len()].fill(1);
        }
        let ids = Tensor::from_vec(ids, shape, &Device::Cpu)?;
        let mask = Tensor::from_vec(mask, shape, &Device::Cpu)?;
        let states = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let states = states.flatten_all()?.to_vec1::<f32>()?;
        Ok(batch
            .iter()
            .zip(states.chunks_exact(longest * DIMENSIONS))
            .map(|(tokens, states)| unit(mean(&states[..tokens.ids.len() * DIMENSIONS])))
            .collect())
    }
}

/// The mean of rows of [`DIMENSIONS`] components, summed in double precision.
fn mean(states: &[f32]) -> Vec<f64> {
    let mut sum = vec![0.0; DIMENSIONS];
    for row in states.chunks_exact(DIMENSIONS) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += f64::from(*value);
        }
    }
    let rows = (states.len() / DIMENSIONS) as f64;
    sum.iter_mut().for_each(|sum| *sum /= rows);
    sum
}

/// Scales to length one. A vector of zeros stays what it is, and the worker refuses it.
fn unit(vector: Vec<f64>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
    vector.into_iter().map(|value| (value / norm) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_rows() {
        let mut states = vec![1.0; DIMENSIONS];
        states.extend(vec![4.0; DIMENSIONS]);
        assert_eq!(mean(&states), vec![2.5; DIMENSIONS]);
    }

    #[test]
    fn a_unit_vector_has_length_one() {
        let vector = unit((0..DIMENSIONS).map(|i| i as f64 - 7.0).collect());
        let norm: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((norm - 1.0).abs() < 1e-6, "{norm}");
        assert!(unit(vec![0.0; DIMENSIONS]).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn a_model_of_another_size_is_refused() {
        let config = r#"{"vocab_size": 8, "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "max_position_embeddings": 8, "type_vocab_size": 2,
            "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0}"#;
        let error = MiniLm::load(config.as_bytes(), Vec::new()).expect_err("wrong width");
        assert!(error.to_string().contains("16 components"), "{error}");
    }
}
