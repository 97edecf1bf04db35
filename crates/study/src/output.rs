//! Files for other people's tools: Parquet, CSV, and the card that says how they were made.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde::{Deserialize, Serialize};

use crate::model::{self, Column, Kind};
use crate::plan::Plan;

/// How a study was made: enough to make it again and to know that it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCard {
    /// The study's name.
    pub study: String,
    /// SHA-256 of what decides the results: spec, data, code version.
    pub config_sha256: String,
    /// SHA-256 of the measured series, if any.
    pub data_sha256: Option<String>,
    /// SHA-256 of the results, in chunk order: equal wherever the same study was run.
    pub results_sha256: String,
    /// Version of this program.
    pub code_version: String,
    /// The program's own commit, if it was built with one.
    pub code_commit: Option<String>,
    /// Where runs were played: "model" or "stack".
    #[serde(default = "on_the_model")]
    pub level: String,
    /// The seed.
    pub seed: u64,
    /// Points of the sweep.
    pub points: u64,
    /// Policies.
    pub policies: Vec<String>,
    /// Runs counted.
    pub runs: u64,
    /// How randomness is keyed.
    pub randomness: String,
}

fn on_the_model() -> String {
    "model".to_owned()
}

/// Writes every row to Parquet and CSV, point by point, so that memory holds one point.
pub struct Tables {
    columns: &'static [Column],
    axes: Vec<String>,
    policies: Vec<String>,
    parquet: SerializedFileWriter<BufWriter<File>>,
    group: Group,
    csv: BufWriter<File>,
}

/// Rows of a Parquet row group: its description stays in memory until the file ends, so groups are few.
const GROUP_ROWS: usize = 1 << 15;

/// Rows that wait for a row group of their own, by column.
#[derive(Default)]
struct Group {
    point: Vec<i64>,
    replication: Vec<i64>,
    policy: Vec<ByteArray>,
    axes: Vec<Vec<ByteArray>>,
    columns: Vec<Vec<f64>>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("axes", &self.axes).finish_non_exhaustive()
    }
}

impl Tables {
    /// Starts both files in `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn start(plan: &Plan, folder: &Path) -> std::io::Result<Self> {
        let columns = model::columns(plan.spec().model);
        let axes: Vec<String> =
            plan.spec().sweep.axes.iter().map(|axis| axis.key.clone()).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("cdpr {}", crate::VERSION))
            .build();
        let file = BufWriter::new(File::create(folder.join("results.parquet"))?);
        let parquet = SerializedFileWriter::new(file, schema(columns, &axes), Arc::new(properties))
            .map_err(std::io::Error::other)?;
        let mut csv = BufWriter::new(File::create(folder.join("results.csv"))?);
        let names = ["point", "replication", "policy"]
            .into_iter()
            .chain(axes.iter().map(String::as_str))
            .chain(columns.iter().map(|column| column.name));
        writeln!(csv, "{}", names.map(quoted).collect::<Vec<_>>().join(","))?;
        let group = Group::new(axes.len(), columns.len());
        Ok(Self { columns, axes, policies: plan.policies(), parquet, group, csv })
    }

    /// Appends rows of one point, from replication `from`, in the order of [`Plan::compute`].
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn append(
        &mut self,
        plan: &Plan,
        point: usize,
        from: u64,
        rows: &[Vec<f64>],
    ) -> std::io::Result<()> {
        let values: Vec<String> = plan.values(point).iter().map(crate::quantity::join).collect();
        self.gather(point, from, rows, &values);
        if self.group.point.len() >= GROUP_ROWS {
            self.flush().map_err(std::io::Error::other)?;
        }
        let width = self.policies.len() as u64;
        let fixed: String = values.iter().map(|value| format!("{},", quoted(value))).collect();
        for (index, row) in rows.iter().enumerate() {
            let index = index as u64;
            let policy = &self.policies[to_usize(index % width)];
            write!(self.csv, "{point},{},{},{fixed}", from + index / width, quoted(policy))?;
            for (place, (value, column)) in row.iter().zip(self.columns).enumerate() {
                let comma = if place == 0 { "" } else { "," };
                match column.kind {
                    Kind::Flag => write!(self.csv, "{comma}{}", *value != 0.0)?,
                    Kind::Count | Kind::Real if value.is_finite() => {
                        write!(self.csv, "{comma}{value}")?;
                    }
                    Kind::Count | Kind::Real => write!(self.csv, "{comma}")?,
                }
            }
            writeln!(self.csv)?;
        }
        Ok(())
    }

    fn gather(&mut self, point: usize, from: u64, rows: &[Vec<f64>], values: &[String]) {
        let (width, n) = (self.policies.len(), rows.len());
        let policies: Vec<ByteArray> =
            self.policies.iter().map(|name| ByteArray::from(name.as_str())).collect();
        let group = &mut self.group;
        group.point.extend(std::iter::repeat_n(signed(point as u64), n));
        group.replication.extend((0..n).map(|index| signed(from + (index / width) as u64)));
        group.policy.extend((0..n).map(|index| policies[index % width].clone()));
        for (axis, value) in group.axes.iter_mut().zip(values) {
            axis.extend(std::iter::repeat_n(ByteArray::from(value.as_str()), n));
        }
        for (place, column) in group.columns.iter_mut().enumerate() {
            column.extend(rows.iter().map(|row| row[place]));
        }
    }

    /// Writes what waits as one row group.
    fn flush(&mut self) -> Result<(), ParquetError> {
        let fresh = Group::new(self.axes.len(), self.columns.len());
        let rows = std::mem::replace(&mut self.group, fresh);
        if rows.point.is_empty() {
            return Ok(());
        }
        let mut group = self.parquet.next_row_group()?;
        let mut whole = |values: &[i64]| -> Result<(), ParquetError> {
            let mut column = group.next_column()?.expect("the schema has it");
            column.typed::<Int64Type>().write_batch(values, None, None)?;
            column.close()
        };
        whole(&rows.point)?;
        whole(&rows.replication)?;
        let mut text = |values: &[ByteArray]| -> Result<(), ParquetError> {
            let mut column = group.next_column()?.expect("the schema has it");
            column.typed::<ByteArrayType>().write_batch(values, None, None)?;
            column.close()
        };
        text(&rows.policy)?;
        for axis in &rows.axes {
            text(axis)?;
        }
        for (values, column) in rows.columns.iter().zip(self.columns) {
            let mut writer = group.next_column()?.expect("the schema has it");
            match column.kind {
                Kind::Flag => {
                    let values: Vec<bool> = values.iter().map(|value| *value != 0.0).collect();
                    writer.typed::<BoolType>().write_batch(&values, None, None)?;
                }
                Kind::Count => {
                    #[allow(clippy::cast_possible_truncation, reason = "counts are whole numbers")]
                    let values: Vec<i64> = values.iter().map(|value| *value as i64).collect();
                    writer.typed::<Int64Type>().write_batch(&values, None, None)?;
                }
                Kind::Real => {
                    let is_there = |value: &f64| value.is_finite();
                    let levels: Vec<i16> =
                        values.iter().map(|value| i16::from(is_there(value))).collect();
                    let values: Vec<f64> = values.iter().copied().filter(is_there).collect();
                    writer.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends both files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.flush().map_err(std::io::Error::other)?;
        self.parquet.finish().map_err(std::io::Error::other)?;
        self.csv.flush()
    }
}

impl Group {
    fn new(axes: usize, columns: usize) -> Self {
        Self { axes: vec![Vec::new(); axes], columns: vec![Vec::new(); columns], ..Self::default() }
    }
}

fn schema(columns: &[Column], axes: &[String]) -> TypePtr {
    let field = |name: &str, physical, repetition| {
        let mut builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        if physical == Physical::BYTE_ARRAY {
            builder = builder.with_logical_type(Some(parquet::basic::LogicalType::String));
        }
        Arc::new(builder.build().expect("a name and a type make a field"))
    };
    let mut fields = vec![
        field("point", Physical::INT64, Repetition::REQUIRED),
        field("replication", Physical::INT64, Repetition::REQUIRED),
        field("policy", Physical::BYTE_ARRAY, Repetition::REQUIRED),
    ];
    fields.extend(axes.iter().map(|axis| field(axis, Physical::BYTE_ARRAY, Repetition::REQUIRED)));
    fields.extend(columns.iter().map(|column| match column.kind {
        Kind::Flag => field(column.name, Physical::BOOLEAN, Repetition::REQUIRED),
        Kind::Count => field(column.name, Physical::INT64, Repetition::REQUIRED),
        Kind::Real => field(column.name, Physical::DOUBLE, Repetition::OPTIONAL),
    }));
    let group = Type::group_type_builder("run").with_fields(fields).build();
    Arc::new(group.expect("fields make a group"))
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_possible_truncation, reason = "an index of a policy")]
const fn to_usize(count: u64) -> usize {
    count as usize
}
