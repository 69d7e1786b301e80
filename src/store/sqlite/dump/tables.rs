//! Which tables there are, as the database itself says: so no table is forgotten when a migration adds one.

use rusqlite::Connection;

/// A table that is exported.
pub(super) struct Table {
    pub(super) name: String,
    /// In the order in which they stand in the table.
    pub(super) columns: Vec<String>,
    /// `INTEGER`, `TEXT`, `BLOB` or `ANY`, for each of them. What SQLite has made itself does not say.
    pub(super) kinds: Vec<String>,
    /// The columns of its key, in their order.
    key: Vec<String>,
}

/// The next number of each table that gives numbers. SQLite's own, and no table has a row of it twice.
pub(super) const NUMBERS: &str = "sqlite_sequence";

/// What is in `meta` and only about the files: that a daemon has them open, and that there is something to scrub.
pub(super) const ABOUT_FILES: [&str; 2] = ["running", "unscrubbed"];

/// All tables but those of the search index, sorted by name.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<Table>> {
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
        AND (name NOT LIKE 'sqlite^_%' ESCAPE '^' OR name = ?1) ORDER BY name";
    let mut select = conn.prepare(sql)?;
    let names: Vec<String> = select.query_map([NUMBERS], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    names.into_iter().map(|name| table(conn, name)).collect()
}

fn table(conn: &Connection, name: String) -> rusqlite::Result<Table> {
    let list = |sql: &str| -> rusqlite::Result<Vec<String>> {
        conn.prepare_cached(sql)?.query_map([&name], |row| row.get(0))?.collect()
    };
    let columns = list("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let kinds = list("SELECT type FROM pragma_table_info(?1) ORDER BY cid")?;
    let mut key = list("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
    if key.is_empty() {
        key.clone_from(&columns);
    }
    Ok(Table { name, columns, kinds, key })
}

impl Table {
    /// Reads all rows in the order of their keys, without those that are being erased.
    pub(super) fn select(&self, some_are_erased: bool) -> String {
        let of_a_room = self.columns.iter().any(|column| column == "room");
        let condition = match &*self.name {
            "meta" => "key NOT IN ('running', 'unscrubbed')",
            "entries" | "postings" if some_are_erased => "id >> 40 NOT IN (SELECT room FROM doomed)",
            // These outlive their room.
            "acts" | "nonces" => "1",
            _ if some_are_erased && of_a_room => "room NOT IN (SELECT room FROM doomed)",
            _ => "1",
        };
        format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {}",
            list(&self.columns),
            quoted(&self.name),
            list(&self.key)
        )
    }

    /// Adds a row.
    pub(super) fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|number| format!("?{number}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", quoted(&self.name), list(&self.columns), places.join(", "))
    }
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{ABOUT_FILES, all};
    use crate::store::sqlite::migrate;

    #[test]
    fn every_table_is_there_but_those_of_the_search_index() {
        let conn = Connection::open_in_memory().unwrap();
        migrate::MIGRATIONS.iter().for_each(|migration| conn.execute_batch(migration).unwrap());
        let tables = all(&conn).unwrap();
        let names: Vec<_> = tables.iter().map(|table| &*table.name).collect();
        let expected = [
            "accounts",
            "acts",
            "bans",
            "blocks",
            "doomed",
            "entries",
            "invitations",
            "invited",
            "members",
            "mentions",
            "meta",
            "nonces",
            "postings",
            "reactions",
            "rooms",
            "sides",
            "sqlite_sequence",
            "suspensions",
            "tallies",
            "tokens",
        ];
        assert_eq!(names, expected);
        for table in &tables {
            for erased in [false, true] {
                conn.prepare(&table.select(erased)).unwrap();
            }
            conn.prepare(&table.insert()).unwrap();
        }
        let meta = tables.iter().find(|table| table.name == "meta").unwrap();
        assert!(ABOUT_FILES.iter().all(|key| meta.select(false).contains(key)));
        let bans = tables.iter().find(|table| table.name == "bans").unwrap();
        assert!(bans.select(false).ends_with("ORDER BY \"room\", \"mute\", \"skeleton\""));
    }
}
