//! Where the names of lines go: each at the end of its line, and none over another.

/// The places nearest to those wanted, at least `step` apart and between `top` and `bottom`, in
/// the order of `wanted`. Where there is not enough room for the steps they become smaller.
pub(super) fn apart(wanted: &[f64], step: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let gaps = wanted.len().saturating_sub(1).max(1) as f64;
    let step = step.min((bottom - top) / gaps);
    // Neighbours that would overlap become a block, whose middle is where theirs was wanted.
    let mut blocks: Vec<Block> = Vec::new();
    for index in &order {
        blocks.push(Block { middle: wanted[*index], count: 1.0 });
        while let [.., above, below] = &blocks[..] {
            if below.first(step) - above.last(step) >= step {
                break;
            }
            let joined = above.join(below);
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    // Blocks at the edges are moved in, and may move others.
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for block in &blocks {
        let mut place = block.first(step);
        let mut left = block.count;
        while left > 0.0 {
            places.push(place);
            place += step;
            left -= 1.0;
        }
    }
    let mut lowest = f64::NEG_INFINITY;
    for place in &mut places {
        *place = place.max(top).max(lowest);
        lowest = *place + step;
    }
    let mut highest = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(highest);
        highest = *place - step;
    }
    let mut found = vec![0.0; wanted.len()];
    for (index, place) in order.into_iter().zip(places) {
        found[index] = place;
    }
    found
}

/// Names that stand directly under one another.
#[derive(Clone, Copy)]
struct Block {
    middle: f64,
    count: f64,
}

impl Block {
    fn first(&self, step: f64) -> f64 {
        self.middle - step * (self.count - 1.0) / 2.0
    }

    fn last(&self, step: f64) -> f64 {
        self.middle + step * (self.count - 1.0) / 2.0
    }

    fn join(&self, other: &Self) -> Self {
        let count = self.count + other.count;
        let middle = (self.middle * self.count + other.middle * other.count) / count;
        Self { middle, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As they come out, rounded.
    fn places(wanted: &[f64]) -> Vec<f64> {
        apart(wanted, 30.0, (0.0, 300.0)).into_iter().map(f64::round).collect()
    }

    fn same(is: &[f64], wanted: &[f64]) {
        assert!(is.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{is:?}, not {wanted:?}");
        assert_eq!(is.len(), wanted.len());
    }

    #[test]
    fn names_with_room_stay_where_they_belong() {
        same(&places(&[200.0, 10.0, 100.0]), &[200.0, 10.0, 100.0]);
        same(&places(&[]), &[]);
    }

    #[test]
    fn names_too_near_are_moved_as_little_as_possible() {
        same(&places(&[100.0, 100.0]), &[85.0, 115.0]);
        same(&places(&[100.0, 110.0, 250.0]), &[90.0, 120.0, 250.0]);
    }

    #[test]
    fn no_name_leaves_the_plot_or_covers_another() {
        for wanted in [[0.0; 7], [300.0; 7], [0.0, 0.0, 0.0, 150.0, 300.0, 300.0, 300.0]] {
            let mut places = places(&wanted);
            places.sort_by(f64::total_cmp);
            assert!(places.iter().all(|place| (0.0..=300.0).contains(place)), "{places:?}");
            assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 29.9), "{places:?}");
        }
        let many = apart(&[150.0; 21], 30.0, (0.0, 300.0));
        assert!(many.iter().all(|place| (-1e-6..=300.000_001).contains(place)), "{many:?}");
    }
}
