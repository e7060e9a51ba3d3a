use std::fmt;

/// Words and numbers in columns.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![header.map(str::to_owned).to_vec()],
        }
    }

    pub(crate) fn add<const COLUMNS: usize>(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row.into());
    }

    fn width(&self, column: usize) -> usize {
        self.column(column)
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    }

    /// Numbers stand to the right, beneath one another.
    fn is_of_numbers(&self, column: usize) -> bool {
        let is_number = |cell: &str| {
            cell.chars()
                .all(|sign| sign.is_ascii_digit() || sign == '-')
        };
        self.column(column).skip(1).all(is_number)
    }

    fn column(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows
            .iter()
            .filter_map(move |row| row.get(column).map(String::as_str))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = self.width(column);
                line += &if self.is_of_numbers(column) {
                    format!("  {cell:>width$}")
                } else {
                    format!("  {cell:<width$}")
                };
            }
            writeln!(f, "      {}", line.trim_end())?;
        }
        Ok(())
    }
}
