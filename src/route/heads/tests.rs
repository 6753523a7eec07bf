use proptest::prelude::*;

use super::*;
use crate::embed::files;

fn file() -> HeadsFile {
    serde_json::from_str(SHIPPED).expect("the shipped weights are JSON")
}

fn shipped() -> Heads {
    let embedder = files::model(files::DEFAULT).expect("the default model is known");
    Heads::shipped(&embedder.identity()).expect("the shipped weights fit it")
}

#[test]
fn shipped_weights_fit_the_shipped_embedder_and_stay_small() {
    let heads = shipped();
    assert!(SHIPPED.len() <= 400_000, "{} bytes", SHIPPED.len());
    assert_eq!(heads.file().doubt[HEADS - 1], 0.0);
    assert!(heads.file().training["rows"].as_u64().expect("rows") > 10_000);
}

#[test]
fn weights_for_other_inputs_are_refused() {
    let identity = file().embedder;
    let fault = Heads::shipped("other-model@0").unwrap_err();
    assert!(matches!(fault, HeadsFault::Embedder { .. }));
    let refuse = |change: fn(&mut HeadsFile)| {
        let mut changed = file();
        change(&mut changed);
        Heads::of_file(changed, &identity).unwrap_err()
    };
    assert_eq!(refuse(|file| file.version = 9), HeadsFault::Version { found: 9 });
    let renamed = refuse(|file| file.features[0] = "length".into());
    assert_eq!(renamed, HeadsFault::Features("length where chars is expected".into()));
    assert!(matches!(refuse(|file| drop(file.features.pop())), HeadsFault::Features(_)));
    assert_eq!(refuse(|file| file.heads[1].vector[7] += 0.25), HeadsFault::Hash);
    assert_eq!(refuse(|file| file.doubt[0] = 0.5), HeadsFault::Hash);
    let short = refuse(|file| file.heads[2].surface.truncate(5));
    assert_eq!(short, HeadsFault::Malformed("a head is incomplete".into()));
    assert!(matches!(refuse(|file| file.heads.swap(0, 1)), HeadsFault::Malformed(_)));
    assert!(matches!(Heads::parse("{", &identity), Err(HeadsFault::Malformed(_))));
    assert_eq!(refuse(|file| file.cold.length += 0.5), HeadsFault::Hash);
    assert_eq!(refuse(|file| file.basis.factor_scale[3] += 0.5), HeadsFault::Hash);
    let short = refuse(|file| file.cold.direction.truncate(5));
    assert_eq!(short, HeadsFault::Malformed("the cold score is incomplete".into()));
    let torn = refuse(|file| file.basis.components.truncate(9_999));
    assert!(matches!(torn, HeadsFault::Malformed(why) if why.starts_with("the basis: components")));
}

#[test]
fn the_cold_score_grows_with_length_and_along_its_direction() {
    let heads = shipped();
    let direction = &heads.file().cold.direction;
    let norm = dot(direction, direction).sqrt();
    let towards: Vec<f32> = direction.iter().map(|entry| entry / norm).collect();
    let away: Vec<f32> = towards.iter().map(|entry| -entry).collect();
    assert!(heads.cold(&towards, 100) > heads.cold(&away, 100));
    let per_char = heads.cold(&away, 200) - heads.cold(&away, 100);
    assert!((per_char - 2_f64.ln() * f64::from(heads.file().cold.length)).abs() < 1e-6);
    assert_eq!(heads.cold(&away, 0), heads.cold(&away, 1));
}

#[test]
fn the_shipped_basis_is_orthonormal() {
    let heads = shipped();
    let basis = heads.basis();
    assert_eq!(basis.width(), crate::route::fit::basis::COMPONENTS);
    let rows: Vec<&[f32]> = basis.components.chunks_exact(DIMENSIONS).collect();
    for (i, left) in rows.iter().enumerate() {
        for (j, right) in rows.iter().enumerate() {
            let wanted = f32::from(u8::from(i == j));
            // Four decimals each.
            assert!((dot(left, right) - wanted).abs() < 2e-3, "{i} {j}");
        }
    }
}

#[test]
fn a_prediction_is_the_sum_that_the_file_states() {
    let mut file = file();
    let identity = file.embedder.clone();
    for (index, head) in file.heads.iter_mut().enumerate() {
        head.vector.fill(0.0);
        head.surface.fill(0.0);
        head.bias = index as f32;
    }
    file.heads[0].vector[3] = 2.0;
    file.heads[2].surface[0] = 0.5;
    file.feature_mean[0] = 1.0;
    file.feature_scale[0] = 2.0;
    file.hash = file.digest();
    let heads = Heads::of_file(file, &identity).expect("a valid file");
    let mut vector = [0.0; DIMENSIONS];
    vector[3] = 0.25;
    let text = "five!";
    let surface = f64::from((6f32.ln() - 1.0) * 2.0);
    let wanted = [0.5, 1.0, 2.0 + 0.5 * surface].map(sigmoid);
    let given = heads.predict(&vector, &Features::of_text(text));
    for (given, wanted) in given.into_iter().zip(wanted) {
        assert!((given - wanted).abs() < 1e-6, "{given} is not {wanted}");
    }
}

#[test]
fn crossing_heads_are_pooled() {
    assert_eq!(isotonic([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
    assert_eq!(isotonic([3.0, 1.0, 4.0]), [2.0, 2.0, 4.0]);
    assert_eq!(isotonic([1.0, 4.0, 2.0]), [1.0, 3.0, 3.0]);
    assert_eq!(isotonic([3.0, 2.0, 1.0]), [2.0, 2.0, 2.0]);
    assert_eq!(isotonic([2.0, 2.0, -1.0]), [1.0, 1.0, 1.0]);
}

proptest! {
    #[test]
    fn pooled_values_rise_and_keep_their_sum(values in [-9.0..9.0f64, -9.0..9.0, -9.0..9.0]) {
        let pooled = isotonic(values);
        prop_assert!(pooled.is_sorted());
        prop_assert!((pooled.iter().sum::<f64>() - values.iter().sum::<f64>()).abs() < 1e-9);
        prop_assert_eq!(isotonic(pooled), pooled);
    }

    #[test]
    fn probabilities_are_proper_and_rise(
        raw in proptest::collection::vec(-1.0..1.0f32, DIMENSIONS),
        text in "\\PC{0,300}",
    ) {
        let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-3);
        let vector: Vec<f32> = raw.iter().map(|x| x / norm).collect();
        let given = shipped().predict(&vector, &Features::of_text(&text));
        prop_assert!(given.is_sorted());
        prop_assert!(given.iter().all(|p| *p > 0.0 && *p < 1.0), "{given:?}");
    }
}

#[test]
fn plainly_easy_requests_are_told_from_plainly_hard_ones() {
    let heads = shipped();
    // Words alone, without what the vector says.
    let vector = vec![0.0; DIMENSIONS];
    let small = |text: &str| heads.predict(&vector, &Features::of_text(text))[0];
    let page = "The tram stops at the old mill, and in summer it goes on to the lake. ".repeat(12);
    let easy = [
        "Hello!".to_owned(),
        "What is the capital of France?".to_owned(),
        "Translate 'good night' into Spanish.".to_owned(),
        format!("Summarise this page in a sentence:\n\n{page}"),
        format!("Translate the following text into German.\n\n{page}"),
    ];
    let hard = [
        "Prove that every finite integral domain is a field.",
        "Derive the bias and the variance of this estimator, and prove that it is consistent.",
        "Design a sharded, replicated ledger with failover and prove that no transfer is lost.",
    ];
    for easy in &easy {
        for hard in hard {
            let (easy_p, hard_p) = (small(easy), small(hard));
            assert!(easy_p > hard_p + 0.1, "{easy_p} {easy} / {hard_p} {hard}");
        }
    }
}
