using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>A page of the audit log, newest first, and whether the whole chain still holds.</summary>
public sealed class ListAudit(Postgres db)
{
    const int LargestPage = 500;
    const int VerifyAtOnce = 5000;

    public async Task<AuditPage> Handle(Caller caller, ListAuditRequest request, CancellationToken ct)
    {
        caller.Must(Right.AuditRead);
        var limit = Math.Clamp(request.Limit, 1, LargestPage);
        var whole = await IsWhole(ct);
        var entries = await db.Query("select seq, at, actor, action, object, detail, hash from audit where seq < $1 order by seq desc "
            + "limit $2",
            [request.Before ?? long.MaxValue, limit], Read, ct);
        return new AuditPage(entries, whole, entries.Count == limit ? entries[^1].Seq : null);
    }

    /// <summary>Reads the log from its start and computes every link again; the last one must be the chain's head.</summary>
    async Task<bool> IsWhole(CancellationToken ct)
    {
        var head = await db.First("select seq, hash from chain_head where chain = 'audit'", [], row =>
            (Seq: row.Long("seq"), Hash: row.Text("hash")), ct);
        var (seq, hash) = (0L, HashChain.Start);
        while (true)
        {
            var entries = await db.Query("select seq, at, actor, action, object, detail, hash from audit where seq > $1 and seq <= $2 "
                + "order by seq limit $3",
                [seq, head.Seq, VerifyAtOnce], Read, ct);
            foreach (var entry in entries)
            {
                var expected = Audit.Link(hash, seq + 1, entry.At, entry.Actor, entry.Action, entry.Object, entry.Detail);
                if (entry.Seq != seq + 1 || entry.Hash != expected) return false;
                (seq, hash) = (entry.Seq, entry.Hash);
            }
            if (entries.Count < VerifyAtOnce) return seq == head.Seq && hash == head.Hash;
        }
    }

    static AuditEntry Read(Row row)
        => new(row.Long("seq"), row.Time("at"), row.Text("actor"), row.Text("action"), row.Text("object"), row.Text("detail"),
            row.Text("hash"));
}
