using System.Text;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Some rows of a table that lie together, before they are read.</summary>
/// <param name="Bucket">Which stretch of its keys.</param>
/// <param name="Number">Which part of the stretch, from 0.</param>
/// <param name="Rows">How many rows.</param>
/// <param name="Mark">Changes whenever one of the rows does.</param>
sealed record RowMark(string Bucket, long Number, long Rows, string Mark);

/// <summary>Reads the rows of one table for an export, in parts that stay the same while their rows do.</summary>
/// <remarks>
/// The mark of a part is the sum of its rows' xmin: the number of the transaction that wrote each row last. While the count stays, every
/// change raises the sum, so a part is read again only where something in it changed, and finding that out costs one pass over
/// 4 bytes a row.
/// </remarks>
sealed class ExportRows
{
    /// <summary>Most rows of a part.</summary>
    public const int RowsOfPart = 4096;
    const int LettersOfTime = 6;   // of an id's hex digits: 2 to the power of 24 milliseconds, about five hours

    readonly Transaction _tx;
    readonly string _table, _bucket, _key;

    ExportRows(Transaction tx, string table, string bucket, string key) => (_tx, _table, _bucket, _key) = (tx, table, bucket, key);

    /// <summary>Looks how the table is to be cut.</summary>
    public static async Task<ExportRows> Of(Transaction tx, ExportedTable table, CancellationToken ct)
    {
        var keys = await tx.Query("""
            select a.attname::text as name, a.atttypid = 'uuid'::regtype as is_uuid
            from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, at)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = $1::text::regclass and i.indisprimary order by k.at
            """, [table.Name], row => (Name: row.Text("name"), IsUuid: row.Bool("is_uuid")), ct);
        if (keys.Count == 0) throw new InvalidOperationException($"The table {table.Name} has no primary key.");
        var first = $"\"{keys[0].Name}\"";
        var bucket = !table.IsLarge ? "''" : keys[0].IsUuid ? $"left(replace({first}::text, '-', ''), {LettersOfTime})"
            : $"({first} / {RowsOfPart})::text";
        return new ExportRows(tx, table.Name, bucket, string.Join(", ", keys.Select(key => $"\"{key.Name}\"")));
    }

    /// <summary>The parts, without reading their rows.</summary>
    public Task<List<RowMark>> Marks(CancellationToken ct) => _tx.Query($"""
        select bucket, number, count(*) as rows, sum(written)::text as mark from (
            select {_bucket} as bucket, xmin::text::numeric as written,
                (row_number() over (partition by {_bucket} order by {_key}) - 1) / {RowsOfPart} as number
            from "{_table}") found
        group by bucket, number order by bucket, number
        """, [], row => new RowMark(row.Text("bucket"), row.Long("number"), row.Long("rows"), row.Text("mark")), ct);

    /// <summary>The rows of a part: a JSON object in each line.</summary>
    public async Task<byte[]> Read(RowMark part, CancellationToken ct)
    {
        var rows = await _tx.Query($"""
            select to_jsonb(t)::text as row from "{_table}" t where {_bucket} = $1 order by {_key} offset $2 limit {RowsOfPart}
            """, [part.Bucket, part.Number * RowsOfPart], row => row.Text("row"), ct);
        return Encoding.UTF8.GetBytes(string.Join('\n', rows));
    }
}
