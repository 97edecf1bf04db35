//! Files for other people's tools: Parquet, CSV, and the card that says how they were made.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde::{Deserialize, Serialize};

use crate::folder::{self, Partial};
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
    csv: csv::Writer<File>,
    files: [Partial; 2],
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
    /// Starts both files of `folder`; they are there once they are [finished](Tables::finish).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn start(plan: &Plan, folder: &Path) -> Result<Self, folder::Error> {
        let columns = model::columns(plan.spec().model);
        let axes: Vec<String> =
            plan.spec().sweep.axes.iter().map(|axis| axis.key.clone()).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("cdpr {}", crate::VERSION))
            .build();
        let path = |name: &str| folder.join(name);
        let failed = |cause: std::io::Error| folder::Error::File { path: folder.to_owned(), cause };
        let files = [Partial::new(&path("results.parquet"))?, Partial::new(&path("results.csv"))?];
        let file = BufWriter::new(files[0].file()?);
        let parquet = SerializedFileWriter::new(file, schema(columns, &axes), Arc::new(properties))
            .map_err(|error| failed(words(error)))?;
        let mut csv =
            csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(files[1].file()?);
        let names = ["point", "replication", "policy"]
            .into_iter()
            .chain(axes.iter().map(String::as_str))
            .chain(columns.iter().map(|column| column.name));
        csv.write_record(names).map_err(|error| failed(error.into()))?;
        let group = Group::new(axes.len(), columns.len());
        Ok(Self { columns, axes, policies: plan.policies(), parquet, group, csv, files })
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
            self.flush().map_err(words)?;
        }
        let width = self.policies.len() as u64;
        for (index, row) in rows.iter().enumerate() {
            let index = index as u64;
            self.csv.write_field(point.to_string())?;
            self.csv.write_field((from + index / width).to_string())?;
            self.csv.write_field(&self.policies[to_usize(index % width)])?;
            for value in &values {
                self.csv.write_field(value)?;
            }
            for (value, column) in row.iter().zip(self.columns) {
                match column.kind {
                    Kind::Flag => self.csv.write_field((*value != 0.0).to_string())?,
                    Kind::Count | Kind::Real if value.is_finite() => {
                        self.csv.write_field(value.to_string())?;
                    }
                    Kind::Count | Kind::Real => self.csv.write_field("")?,
                }
            }
            self.csv.write_record(None::<&[u8]>)?;
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
    /// When a file cannot be written; then neither is there.
    pub fn finish(mut self) -> std::io::Result<[Partial; 2]> {
        self.flush().map_err(words)?;
        self.parquet.into_inner().map_err(words)?.flush()?;
        self.csv.flush()?;
        Ok(self.files)
    }
}

/// The file system's own words where there are some.
fn words(error: ParquetError) -> std::io::Error {
    let ParquetError::External(cause) = error else { return std::io::Error::other(error) };
    match cause.downcast::<std::io::Error>() {
        Ok(cause) => *cause,
        Err(cause) => std::io::Error::other(cause),
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

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_possible_truncation, reason = "an index of a policy")]
const fn to_usize(count: u64) -> usize {
    count as usize
}
