using System.Text;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What a rebuilt control plane begins as.</summary>
/// <param name="Hash">Of the entry that it came from: its next one links to that.</param>
/// <param name="RecoveryKey">Stays the same.</param>
sealed record RebuiltAs(string Hash, byte[] RecoveryKey);

/// <summary>Puts the rows of an export into an empty database, all or none.</summary>
sealed class FillDatabase(Postgres db, Migrator migrator)
{
    /// <summary>Refuses a database in which there is something.</summary>
    /// <exception cref="ConflictException">It is not empty.</exception>
    public async Task MustBeEmpty(CancellationToken ct)
    {
        var tables = await db.Query("select tablename::text as name from pg_tables where schemaname = current_schema() order by 1", [],
            row => row.Text("name"), ct);
        if (tables.Count > 0)
            throw new ConflictException("database.not_empty", $"The database is not empty: it has {tables.Count} tables, "
                + $"{string.Join(", ", tables.Take(3))} among them.",
                "Make an empty one (createdb) and name it in Database:ConnectionString; nothing was "
                + "changed in this one.");
    }

    /// <summary>Makes the schema of the export, fills it, and brings it up to this version.</summary>
    /// <param name="entry">What there is.</param>
    /// <param name="begins">What begins here.</param>
    /// <param name="read">Gives a part's rows, a JSON object in each line.</param>
    /// <param name="begin">Begins the term, when all rows are there and none can be seen yet.</param>
    /// <param name="ct">Cancels; the tables are then there, and empty.</param>
    /// <exception cref="ConflictException">The export names migrations that this version does not know.</exception>
    public async Task<BegunTerm> Run(ExportEntry entry, RebuiltAs begins, Func<ExportPart, Task<byte[]>> read,
        Func<Transaction, SealedSecrets, Task<BegunTerm>> begin, CancellationToken ct)
    {
        await migrator.Run(ct, entry.Migrations);
        var begun = await db.InTransaction(async tx =>
        {
            var tables = entry.Parts.Select(part => part.Table).Distinct().ToList();
            foreach (var table in tables) await tx.Execute($"delete from \"{table}\"", [], ct);   // what the migrations put there
            foreach (var table in await InOrder(tx, tables, ct)) await Fill(tx, table, entry.Parts, read, ct);
            var secrets = SealedSecrets.With(Convert.FromBase64String(entry.SealingKey),
                await tx.Scalar<byte[]>("select fingerprint from sealing_key", [], ct) ?? []);
            var term = await begin(tx, secrets);
            await tx.Execute("""
                insert into control_plane (installation, recovery_key_sealed, term, export_seq, export_hash) values ($1, $2, $3, $4, $5)
                """, [entry.Installation, RecoveryKey.Seal(secrets, begins.RecoveryKey), term.Term, entry.Seq, begins.Hash], ct);
            await Audit.Add(tx, Caller.System("rebuild"), "control_plane.rebuild", entry.Installation.ToString(),
                FormattableString.Invariant($"from entry {entry.Seq} of term {entry.Term}, of {entry.At:u}; {term.Words}"), ct);
            if (term.OverriddenBy is { } two)
                await Audit.Add(tx, Caller.System("rebuild"), "control_plane.override", entry.Installation.ToString(),
                    $"{two.One} and {two.Other} say that the old control plane is off: {term.Words}", ct);
            return term;
        }, ct);
        await migrator.Run(ct);
        return begun;
    }

    /// <summary>The tables, each after those that it refers to.</summary>
    static async Task<IReadOnlyList<string>> InOrder(Transaction tx, IReadOnlyList<string> tables, CancellationToken ct)
    {
        var parents = (await tx.Query("""
            select c.relname::text as child, p.relname::text as parent from pg_constraint f
            join pg_class c on c.oid = f.conrelid join pg_class p on p.oid = f.confrelid where f.contype = 'f' and c.oid <> p.oid
            """, [], row => (Child: row.Text("child"), Parent: row.Text("parent")), ct)).ToLookup(one => one.Child, one => one.Parent);
        var ordered = new List<string>();
        var waiting = tables.ToList();
        while (waiting.Count > 0)
        {
            var next = waiting.FindAll(table => !parents[table].Any(waiting.Contains));
            if (next.Count == 0) throw new InvalidOperationException($"Tables refer to each other: {string.Join(", ", waiting)}.");
            ordered.AddRange(next);
            waiting.RemoveAll(next.Contains);
        }
        return ordered;
    }

    static async Task Fill(Transaction tx, string table, IReadOnlyList<ExportPart> parts, Func<ExportPart, Task<byte[]>> read,
        CancellationToken ct)
    {
        var columns = await tx.Query("""
            select attname::text as name, attidentity <> '' as is_identity from pg_attribute
            where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
            """, [table], row => (Name: row.Text("name"), IsIdentity: row.Bool("is_identity")), ct);
        var names = string.Join(", ", columns.Select(column => $"\"{column.Name}\""));
        foreach (var part in parts.Where(part => part.Table == table && part.Rows > 0))
        {
            var rows = Encoding.UTF8.GetString(await read(part)).Replace('\n', ',');
            var filled = await tx.Execute($"""
                insert into "{table}" ({names}) overriding system value
                select {names} from jsonb_populate_recordset(null::"{table}", $1)
                """, [new JsonText($"[{rows}]")], ct);
            if (filled != part.Rows)
                throw new ConflictException("export.unopened", $"A part of {table} has {filled} rows; the entry says {part.Rows}.",
                    "Name an older entry, or another location.");
        }
        foreach (var column in columns.Where(column => column.IsIdentity))
            await tx.Execute($"select setval(pg_get_serial_sequence($1, $2), "
                + $"coalesce((select max(\"{column.Name}\") from \"{table}\"), 0) + 1, false)", [table, column.Name], ct);
    }
}
