//! What a screen shows, pixel by pixel.

use std::collections::BTreeSet;
use std::io::Cursor;

use crate::browser::Place;

type Colour = [u8; 3];

/// Some pixels.
pub struct Picture {
    width: usize,
    pixels: Vec<Colour>,
    paper: Colour,
}

impl Picture {
    /// From a PNG file.
    pub fn decode(file: &[u8]) -> Self {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let pixels = bytes.chunks(info.color_type.samples());
        let pixels: Vec<Colour> = pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Self {
            width: info.width as usize,
            paper: pixels[0],
            pixels,
        }
    }

    /// What is at `place`.
    pub fn part(&self, place: &Place) -> Self {
        let rows = self
            .pixels
            .chunks(self.width)
            .skip(place.y as usize)
            .take(place.height as usize);
        let columns = place.x as usize..(place.x + place.width) as usize;
        Self {
            width: place.width as usize,
            pixels: rows.flat_map(|row| row[columns.clone()].to_vec()).collect(),
            paper: self.paper,
        }
    }

    /// How many colours there are.
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<BTreeSet<_>>().len()
    }

    /// How much of it is not the page's own colour, from 0 to 1.
    pub fn ink(&self) -> f64 {
        let count = self
            .pixels
            .iter()
            .filter(|pixel| **pixel != self.paper)
            .count();
        count as f64 / self.pixels.len().max(1) as f64
    }

    /// How light the page is, from 0 to 1.
    pub fn paper(&self) -> f64 {
        self.paper.iter().map(|part| f64::from(*part)).sum::<f64>() / (3.0 * 255.0)
    }
}
