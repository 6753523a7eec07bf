//! The BERT encoder, layer by layer: padded token ids in, hidden states out. Multiplications are
//! candle's; what is done to each number on its own is done here, on the calling thread.
//!
//! Why not `BertModel` of candle-transformers: candle hands every addition and activation of some
//! size to a pool with a thread for each core, whose threads spin while they wait, whatever
//! `embedder.threads` says; and it stores weights so that each multiplication first has to
//! rearrange them, which for a prompt of ten words costs more than the multiplication. Here bias,
//! activation, residual and normalisation are one pass over a row that is still in the cache, the
//! three projections of attention are one multiplication, and weights lie as they are read.

use std::collections::HashMap;

use candle_core::{DType, Device, Error, Result, Tensor};
use serde::Deserialize;

/// The members of `config.json` that decide the arithmetic.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub hidden_size: usize,
    pub max_position_embeddings: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    layer_norm_eps: f32,
    hidden_act: String,
}

/// Rows of numbers, one after the other.
type Rows = Vec<f32>;

pub(super) struct Encoder {
    words: Rows,
    /// Position embeddings, the embedding of the first (and here only) token type added.
    positions: Rows,
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
}

struct Layer {
    /// Query (scaled by 1/√head width), key and value side by side.
    project: Linear,
    mix: Linear,
    mix_norm: Norm,
    expand: Linear,
    contract: Linear,
    norm: Norm,
}

struct Linear {
    /// Inputs × outputs, contiguous: the order in which the multiplication reads.
    weight: Tensor,
    bias: Rows,
}

struct Norm {
    weight: Rows,
    bias: Rows,
    epsilon: f32,
}

impl Encoder {
    /// Takes the weights out of `tensors`, which are named as in the model's safetensors file.
    pub fn load(config: &Config, tensors: &HashMap<String, Tensor>) -> Result<Self> {
        if config.hidden_act != "gelu" {
            candle_core::bail!("activation `{}` instead of `gelu`", config.hidden_act);
        }
        let weights = Weights { tensors, epsilon: config.layer_norm_eps };
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let mut positions = weights.rows(
            "embeddings.position_embeddings.weight",
            config.max_position_embeddings * width,
        )?;
        let types = weights.tensor("embeddings.token_type_embeddings.weight")?.get(0)?;
        for row in positions.chunks_exact_mut(width) {
            add(row, &types.to_vec1::<f32>()?);
        }
        let layers = (0..config.num_hidden_layers)
            .map(|layer| {
                let name = format!("encoder.layer.{layer}");
                let head = width / config.num_attention_heads;
                Ok(Layer {
                    project: weights.projections(&format!("{name}.attention.self"), width, head)?,
                    mix: weights.linear(&format!("{name}.attention.output.dense"), width, width)?,
                    mix_norm: weights.norm(&format!("{name}.attention.output.LayerNorm"), width)?,
                    expand: weights.linear(&format!("{name}.intermediate.dense"), width, inner)?,
                    contract: weights.linear(&format!("{name}.output.dense"), inner, width)?,
                    norm: weights.norm(&format!("{name}.output.LayerNorm"), width)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            words: weights.tensor("embeddings.word_embeddings.weight")?.flatten_all()?.to_vec1()?,
            positions,
            norm: weights.norm("embeddings.LayerNorm", width)?,
            layers,
            width,
            heads: config.num_attention_heads,
        })
    }

    /// The last layer's states of a batch: `longest` rows for each text, of which those beyond the
    /// text's own length mean nothing. Fails on an id that the vocabulary lacks.
    pub fn forward(&self, texts: &[&[u32]], longest: usize) -> Result<Rows> {
        let lengths: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let mut states = vec![0.0; texts.len() * longest * self.width];
        for (ids, block) in texts.iter().zip(states.chunks_exact_mut(longest * self.width)) {
            let positions = self.positions.chunks_exact(self.width);
            for ((id, position), row) in
                ids.iter().zip(positions).zip(block.chunks_exact_mut(self.width))
            {
                let start = *id as usize * self.width;
                let word = self.words.get(start..start + self.width);
                row.copy_from_slice(word.ok_or_else(|| Error::Msg(format!("no token {id}")))?);
                add(row, position);
            }
        }
        self.norm.apply(&mut states);
        for layer in &self.layers {
            let mixed =
                self.attend(layer.project.apply(&states, self.width)?, &lengths, longest)?;
            layer.mix_norm.apply_sum(&mut states, &layer.mix.apply(&mixed, self.width)?);
            let mut inner = layer.expand.apply(&states, self.width)?;
            inner.iter_mut().for_each(|value| *value = gelu(*value));
            let outer = layer.contract.apply(&inner, layer.expand.bias.len())?;
            layer.norm.apply_sum(&mut states, &outer);
        }
        Ok(states)
    }

    /// Attention of every head within each text.
    fn attend(&self, projected: Rows, lengths: &[usize], longest: usize) -> Result<Rows> {
        let head = self.width / self.heads;
        let shape = (lengths.len(), longest, 3, self.heads, head);
        let projected = Tensor::from_vec(projected, shape, &Device::Cpu)?;
        // Text, head, token, component; heads of all texts multiply side by side.
        let part = |part| {
            projected.narrow(2, part, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous()?.flatten(0, 1)
        };
        let (query, key, value) = (part(0)?, part(1)?, part(2)?);
        let mut shares = query.matmul(&key.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        let per_text = self.heads * longest * longest;
        for (block, length) in shares.chunks_exact_mut(per_text).zip(lengths) {
            block.chunks_exact_mut(longest).for_each(|row| softmax(row, *length));
        }
        let shares =
            Tensor::from_vec(shares, (lengths.len() * self.heads, longest, longest), &Device::Cpu)?;
        let mixed = shares.matmul(&value)?.reshape((lengths.len(), self.heads, longest, head))?;
        mixed.transpose(1, 2)?.contiguous()?.flatten_all()?.to_vec1()
    }
}

impl Linear {
    /// Rows of `inputs` numbers to rows of as many as there are biases.
    fn apply(&self, rows: &[f32], inputs: usize) -> Result<Rows> {
        let rows = Tensor::from_slice(rows, (rows.len() / inputs, inputs), &Device::Cpu)?;
        let mut product = rows.matmul(&self.weight)?.flatten_all()?.to_vec1::<f32>()?;
        product.chunks_exact_mut(self.bias.len()).for_each(|row| add(row, &self.bias));
        Ok(product)
    }
}

impl Norm {
    /// Brings each row to mean 0 and variance 1, then to this norm's weight and bias.
    fn apply(&self, rows: &mut [f32]) {
        let width = self.weight.len();
        for row in rows.chunks_exact_mut(width) {
            let mean = row.iter().sum::<f32>() / width as f32;
            row.iter_mut().for_each(|value| *value -= mean);
            let variance = row.iter().map(|value| value * value).sum::<f32>() / width as f32;
            let scale = (variance + self.epsilon).sqrt().recip();
            for ((value, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *value = *value * scale * weight + bias;
            }
        }
    }

    /// The same of `rows + more`.
    fn apply_sum(&self, rows: &mut [f32], more: &[f32]) {
        add(rows, more);
        self.apply(rows);
    }
}

fn add(row: &mut [f32], more: &[f32]) {
    row.iter_mut().zip(more).for_each(|(value, more)| *value += more);
}

/// Shares of the first `length` scores; padding gets none.
fn softmax(row: &mut [f32], length: usize) {
    let (row, padding) = row.split_at_mut(length);
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value = (*value - most).exp());
    let scale = row.iter().sum::<f32>().recip();
    row.iter_mut().for_each(|value| *value *= scale);
    padding.fill(0.0);
}

/// x·Φ(x), with the error function after Abramowitz and Stegun 7.1.26: within 1.5·10⁻⁷, as exact as
/// the numbers are, at the price of one exponential.
fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let series = t
        * (0.254_829_6
            + t * (-0.284_496_74 + t * (1.421_413_7 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = 1.0 - series * (-z * z).exp();
    0.5 * x * (1.0 + erf.copysign(x))
}

/// Tensors by name, in the shapes that they are used in.
struct Weights<'a> {
    tensors: &'a HashMap<String, Tensor>,
    epsilon: f32,
}

impl Weights<'_> {
    fn tensor(&self, name: &str) -> Result<Tensor> {
        let missing = || Error::Msg(format!("the weights lack {name}"));
        self.tensors.get(name).ok_or_else(missing)?.to_dtype(DType::F32)
    }

    fn rows(&self, name: &str, numbers: usize) -> Result<Rows> {
        let rows: Rows = self.tensor(name)?.flatten_all()?.to_vec1()?;
        if rows.len() != numbers {
            candle_core::bail!("{name} has {} numbers, not {numbers}", rows.len());
        }
        Ok(rows)
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm> {
        Ok(Norm {
            weight: self.rows(&format!("{name}.weight"), width)?,
            bias: self.rows(&format!("{name}.bias"), width)?,
            epsilon: self.epsilon,
        })
    }

    fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let weight = self.tensor(&format!("{name}.weight"))?.reshape((outputs, inputs))?;
        let bias = self.rows(&format!("{name}.bias"), outputs)?;
        Ok(Linear { weight: weight.t()?.contiguous()?, bias })
    }

    fn projections(&self, name: &str, width: usize, head: usize) -> Result<Linear> {
        let scale = f64::from(head as u32).sqrt().recip();
        let mut query = self.linear(&format!("{name}.query"), width, width)?;
        query.weight = (query.weight * scale)?;
        query.bias.iter_mut().for_each(|bias| *bias *= scale as f32);
        let key = self.linear(&format!("{name}.key"), width, width)?;
        let value = self.linear(&format!("{name}.value"), width, width)?;
        Ok(Linear {
            weight: Tensor::cat(&[query.weight, key.weight, value.weight], 1)?.contiguous()?,
            bias: [query.bias, key.bias, value.bias].concat(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gelu_is_x_times_the_normal_distribution() {
        // Φ(1) = 0.841344746, Φ(-2) = 0.022750132, from tables.
        for (x, wanted) in [(0.0, 0.0), (1.0, 0.841_344_8), (-2.0, -0.045_500_264), (9.0, 9.0)] {
            assert!((gelu(x) - wanted).abs() < 1e-6, "{x}: {}", gelu(x));
        }
        assert!(gelu(-30.0).abs() < 1e-6 && gelu(f32::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_and_padding_has_none(
            mut row in prop::collection::vec(-80_f32..80.0, 1..40),
            cut in 0_usize..40,
        ) {
            let length = (row.len() - cut % row.len()).max(1);
            softmax(&mut row, length);
            prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            prop_assert!(row[length..].iter().all(|share| *share == 0.0));
        }

        #[test]
        fn a_norm_centres_and_scales(mut row in prop::collection::vec(-9_f32..9.0, 8)) {
            prop_assume!(row.iter().any(|value| (value - row[0]).abs() > 0.1));
            Norm { weight: vec![2.0; 8], bias: vec![1.0; 8], epsilon: 1e-12 }.apply(&mut row);
            let mean = row.iter().sum::<f32>() / 8.0;
            let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 8.0;
            prop_assert!((mean - 1.0).abs() < 1e-4 && (variance - 4.0).abs() < 1e-2);
        }
    }
}
