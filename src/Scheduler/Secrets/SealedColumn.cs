using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Secrets;

/// <summary>A column whose values are sealed; a test compares the list with the schema.</summary>
/// <remarks>Tables of other folders are written here, which nobody else may: what a value says stays as its owner wrote it.</remarks>
/// <param name="Table">Its table.</param>
/// <param name="Key">The table's key, one column.</param>
/// <param name="KeyType">That column's type in SQL.</param>
/// <param name="Column">The column.</param>
/// <param name="SealedAs">What the column is called in the values' binding.</param>
/// <param name="RowOf">What the row is called there, of the key's text.</param>
sealed record SealedColumn(string Table, string Key, string KeyType, string Column, string SealedAs, Func<string, string> RowOf)
{
    /// <summary>Values that are read at once.</summary>
    internal const int Batch = 200;

    public static readonly IReadOnlyList<SealedColumn> All =
    [
        Single("authority", "key_sealed", "key"),
        Single("listener_identity", "key_sealed", "key"),
        Single("evidence_key", "key_sealed", "key"),
        Single("control_plane", "recovery_key_sealed", "recovery_key"),
        new("data_protection_key", "name", "text", "sealed", "sealed", name => name),
        OfId<LocationId>("location", "credentials_sealed", "credentials"),
        OfId<RepositoryId>("repository", "password_sealed", "password"),
        new("step_secret", "name", "text", "value_sealed", "value", name => name),
        OfId<ChannelId>("channel", "secret_sealed", "secret"),
    ];

    static SealedColumn Single(string table, string column, string name) => new(table, "singleton", "boolean", column, name, _ => "1");

    static SealedColumn OfId<T>(string table, string column, string name) where T : struct, ITypedId<T>
        => new(table, "id", "uuid", column, name, id => TypedId.Format(T.From(Guid.Parse(id))));

    /// <summary>Values after a key, in the keys' order.</summary>
    public Task<List<(string Key, byte[] Box)>> After(SqlSource db, string? key, CancellationToken ct) => db.Query($"""
        select {Key}::text as key, {Column} as box from {Table}
        where {Column} is not null and ($1::text is null or {Key} > $1::text::{KeyType}) order by {Table}.{Key} limit {Batch}
        """, [key], row => (row.Text("key"), row.Bytes("box")), ct);

    /// <summary>Puts a value in the place of another, unless that changed meanwhile.</summary>
    public Task<int> Exchange(Transaction tx, string key, byte[] box, byte[] anew, CancellationToken ct) => tx.Execute(
        $"update {Table} set {Column} = $3 where {Key} = $1::text::{KeyType} and {Column} = $2", [key, box, anew], ct);
}
