using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;

namespace BackupDr.Scheduler.Access.Trail;

/// <summary>Computes every link of the audit log again, and compares it with each head that the evidence recorded.</summary>
public sealed class VerifyAudit(Postgres db)
{
    const int AtOnce = 5000;

    public async Task<AuditVerdict> Handle(Caller caller, VerifyAuditRequest request, CancellationToken ct)
    {
        caller.Must(Right.AuditRead);
        var anchors = await AuditAnchors.All(db, ct);
        var head = await ListAudit.Head(db, ct);
        var chain = new AuditChain(anchors.Where(one => one.Seq <= head.Seq || head.Seq == 0));
        var entries = await Each(db, head.Seq, entry => { chain.Take(entry); return Task.CompletedTask; }, ct);
        chain.End(head.Seq, head.Hash);
        // Heads that were recorded and lie behind the present one: log and head were cut together.
        var cut = head.Seq == 0 ? [] : anchors.Where(one => one.Seq > head.Seq).OrderBy(one => one.Seq).Select(one => new AuditProblem(
            head.Seq + 1, $"The log once had an entry {one.Seq}, whose hash the evidence recorded, and ends at {head.Seq}: it was cut "
                + $"off."));
        return new AuditVerdict
        {
            Entries = entries,
            Head = head.Seq,
            HeadHash = head.Hash,
            Anchors = anchors.Count,
            Problems = [.. chain.Problems.Concat(cut).Take(AuditChain.MostProblems)],
        };
    }

    /// <summary>Gives the entries one by one, by their numbers; those behind the head are only given where nothing is under way.</summary>
    internal static async Task<long> Each(SqlSource db, long head, Func<AuditEntry, Task> take, CancellationToken ct)
    {
        var (last, count) = (long.MinValue, 0L);
        while (true)
        {
            var entries = await db.Query($"select {ListAudit.Columns} from audit where seq > $1 and seq <= $2 order by seq limit $3",
                [last, head, AtOnce], ListAudit.Read, ct);
            foreach (var entry in entries) await take(entry);
            count += entries.Count;
            if (entries.Count < AtOnce) return count;
            last = entries[^1].Seq;
        }
    }
}

/// <summary>Writes the audit log as a file that verifies without us, and records its head in the evidence.</summary>
public sealed class ExportAudit(Postgres db, EvidenceKey key, AuditAnchors anchors)
{
    public async Task Handle(Caller caller, ExportAuditRequest request, Stream into, CancellationToken ct)
    {
        caller.Must(Right.AuditRead);
        await db.InTransaction(tx => Audit.Add(tx, caller, "audit.export", "", "", ct), ct);
        await anchors.Record(TimeSpan.Zero, ct);
        var head = await ListAudit.Head(db, ct);
        var first = AuditChain.Head(await db.Scalar<DateTimeOffset>("select clock()", [], ct), key.Public);
        await Line(into, first, ct);
        await VerifyAudit.Each(db, head.Seq, entry => Line(into, AuditChain.Line(entry), ct), ct);
        var signed = AuditChain.Signed(first, head.Seq, head.Hash);
        await Line(into, AuditChain.End(signed, key.Sign(HashChain.Hash(signed))), ct);
    }

    static async Task Line(Stream into, string text, CancellationToken ct) => await into.WriteAsync(Encoding.UTF8.GetBytes(text + "\n"),
        ct);
}
