using System.Reflection;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Secrets;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Writes the control plane's state to every place that a node can reach: what changed since the last time, and an entry that says
/// what there is. One node at a time does it; any may.</summary>
/// <remarks>
/// The rows are of one moment (one repeatable-read transaction). Parts are put before the entry that names them, and are named by
/// their content, so an export that is cut short leaves nothing behind that could be taken for a state. A place that cannot be written is
/// left out and told; the next round brings it up to date.
/// </remarks>
public sealed class WriteExport(Postgres db, RecoveryKey recovery, SealedSecrets secrets, EvidenceKey signer, ExportPlaces places,
    AlertBook alerts)
{
    /// <summary>An entry is written at least so often, also where nothing changed: its age says that exports work.</summary>
    public static readonly TimeSpan AtLeast = TimeSpan.FromHours(1);

    const string Cause = "control-plane:export";

    static readonly string Version =
        typeof(WriteExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Writes the next export if it is due; gives the number of places that have it.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        if (await ExportTable.Claim(db, ct) is not { } claim) return 0;
        var open = await places.Open(ct);
        try
        {
            var box = new ExportBox(recovery.Key);
            foreach (var place in open) await Try(place, store => Look(place, store, ct));
            var seq = Math.Max(claim.Seq, open.SelectMany(place => place.Entries).Where(entry => entry.Term == claim.Term)
                .Select(entry => entry.Seq).DefaultIfEmpty().Max()) + 1;
            SignedEntry? written = null;
            if (open.Any(place => place.IsUsable)) written = await Write(claim, seq, open, box, ct);
            if (!await db.InTransaction(tx => End(tx, claim, written, seq, open, ct), ct)) return 0;
            await new ExportSweep(db, recovery.Installation, box).Run(open, ct);
            return open.Count(place => place.IsUsable);
        }
        finally
        {
            foreach (var place in open) await place.DisposeAsync();
        }
    }

    async Task<bool> End(Transaction tx, ExportClaim claim, SignedEntry? written, long seq, List<ExportPlace> open, CancellationToken ct)
    {
        if (!await ExportTable.End(tx, claim, written, seq, open, ct)) return false;
        if (await ExportTable.LongestProblem(tx, ct) is not { } problem)
        {
            await alerts.Clear(tx, Cause, ct);
            return true;
        }
        await alerts.Raise(tx, new RaisedAlert
        {
            Cause = Cause,
            Kind = AlertKind.ExportLate,
            Severity = AlertSeverity.Warning,
            Title = $"The state of the control plane could not be stored in {problem}",
            Effect = "Backups and restores go on. Whoever loses the database now rebuilds from an older state.",
            Action = "Look at the location.",
            ActionUrl = "/storage#control-plane",
        }, ct);
        return true;
    }

    async Task Look(ExportPlace place, IObjectStore store, CancellationToken ct)
    {
        await foreach (var part in store.List(ExportNames.Parts(recovery.Installation), ct)) place.Parts.Add(part.Name.LastSegment);
        await foreach (var entry in store.List(ExportNames.Entries(recovery.Installation), ct))
            if (ExportNames.Parse(entry.Name) is { } name) place.Entries.Add(name);
    }

    /// <summary>Writes what changed and an entry; null where nothing changed and each place has the last one.</summary>
    async Task<SignedEntry?> Write(ExportClaim claim, long seq, List<ExportPlace> open, ExportBox box, CancellationToken ct)
    {
        // While the key is exchanged the rows may be sealed with what this node had before they were read, or with what it has after.
        var before = Convert.FromBase64String(secrets.KeyText());
        var (parts, migrations, now) = await WriteParts(claim, open, box, ct);
        var sealingKey = Convert.ToBase64String(SealingKeys.Union(before, Convert.FromBase64String(secrets.KeyText())));
        if (claim.Last is { } last && claim.At is { } at && now - at < AtLeast && last.SealingKey == sealingKey
            && last.Migrations.SequenceEqual(migrations) && last.Parts.SequenceEqual(parts)
            && open.TrueForAll(place => !place.IsUsable || place.Entries.Contains((claim.Term, claim.Seq)))) return null;
        var entry = SignedEntry.Of(new ExportEntry
        {
            Installation = recovery.Installation,
            Term = claim.Term,
            Seq = seq,
            Previous = claim.Hash,
            At = now,
            Version = Version,
            Migrations = migrations,
            SealingKey = sealingKey,
            Parts = parts,
        }, signer.Sign, signer.Public);
        var name = ExportNames.Entry(recovery.Installation, claim.Term, seq);
        var content = box.Seal(name.Value, entry.Bytes());
        foreach (var place in open) await Try(place, store => store.Put(name, content, ct));
        return open.Any(place => place.IsUsable) ? entry : null;
    }

    /// <summary>Stores what changed since the last entry; all rows are of one moment. Nothing is committed, because nothing is written
    /// here.</summary>
    async Task<(List<ExportPart> Parts, List<string> Migrations, DateTimeOffset Now)> WriteParts(ExportClaim claim, List<ExportPlace> open,
        ExportBox box, CancellationToken ct)
    {
        await using var tx = await db.Begin(ct);
        await tx.Execute("set transaction isolation level repeatable read, read only", [], ct);
        var parts = new List<ExportPart>();
        foreach (var table in ExportedTables.All) parts.AddRange(await WriteTable(tx, table, claim.Last, open, box, ct));
        return (parts, await tx.Query("select name from migration order by name", [], row => row.Text("name"), ct),
            await tx.Scalar<DateTimeOffset>("select clock()", [], ct));
    }

    static async Task<List<ExportPart>> Unchanged(ExportRows rows, string table, ExportEntry? last, CancellationToken ct)
    {
        var known = last?.Parts.Where(part => part.Table == table).ToDictionary(part => (part.Bucket, part.Number)) ?? [];
        return [.. (await rows.Marks(ct)).Select(mark => known.GetValueOrDefault((mark.Bucket, mark.Number)) is { } same
            && (same.Rows, same.Mark) == (mark.Rows, mark.Mark) ? same
            : new ExportPart(table, mark.Bucket, mark.Number, mark.Rows, mark.Mark, ""))];
    }

    async Task<List<ExportPart>> WriteTable(Transaction tx, ExportedTable table, ExportEntry? last, List<ExportPlace> open, ExportBox box,
        CancellationToken ct)
    {
        var rows = await ExportRows.Of(tx, table, ct);
        var parts = await Unchanged(rows, table.Name, last, ct);
        for (var at = 0; at < parts.Count; at++)
        {
            var part = parts[at];
            if (part.Object.Length > 0 && open.TrueForAll(place => !place.IsUsable || place.Parts.Contains(part.Object))) continue;
            var plain = await rows.Read(new RowMark(part.Bucket, part.Number, part.Rows, part.Mark), ct);
            parts[at] = part = part with { Object = box.PartName(table.Name, plain) };
            var name = ExportNames.Part(recovery.Installation, part.Object);
            byte[]? content = null;
            foreach (var place in open.Where(place => !place.Parts.Contains(part.Object)))
                await Try(place, async store =>
                {
                    await PutOnce(store, name, content ??= box.Seal(name.Value, plain), ct);
                    place.Parts.Add(part.Object);
                });
        }
        return parts;
    }

    static async Task PutOnce(IObjectStore store, ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        try { await store.Put(name, content, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { return; }   // named by its content: it is the same
    }

    /// <summary>Does something with a place; what it cannot do leaves it out of this round, and is told.</summary>
    static async Task Try(ExportPlace place, Func<IObjectStore, Task> work)
    {
        if (!place.IsUsable) return;
        try { await work(place.Store!); }
        catch (StoreException e) { place.Problem = ExportPlaces.Sentence(e); }
    }
}
