using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>A page of the audit log, newest first, and whether its newest links hold.</summary>
public sealed class ListAudit(Postgres db)
{
    /// <summary>So many of the newest entries are computed again for each page; <see cref="Trail.VerifyAudit"/> computes all.</summary>
    public const int VerifiedAtOnce = 2000;

    const int LargestPage = 500;
    const int LongestFilter = 200;

    internal const string Columns = "seq, at, actor, action, object, detail, hash";

    /// <exception cref="BadInputException">A filter is too long, or the moments are the wrong way round.</exception>
    public async Task<AuditPage> Handle(Caller caller, ListAuditRequest request, CancellationToken ct)
    {
        caller.Must(Right.AuditRead);
        Check(request);
        var limit = Math.Clamp(request.Limit, 1, LargestPage);
        var whole = await IsWhole(ct);
        var action = Given(request.Action);
        var isSubject = action?.EndsWith('.') == true;
        var entries = await db.Query($"""
            select {Columns} from audit
            where seq < $1 and ($3::text is null or actor = $3) and ($4::text is null or action = $4)
              and ($5::text is null or starts_with(action, $5)) and ($6::text is null or object = $6)
              and ($7::text is null or position(lower($7) in lower(actor || ' ' || action || ' ' || object || ' ' || detail)) > 0)
              and ($8::timestamptz is null or at >= $8) and ($9::timestamptz is null or at < $9)
            order by seq desc limit $2
            """, [request.Before ?? long.MaxValue, limit, Given(request.Actor), isSubject ? null : action, isSubject ? action : null,
                Given(request.Object), Given(request.Text),
                request.Since?.UtcDateTime, request.Until?.UtcDateTime], Read, ct);
        return new AuditPage(entries, whole, entries.Count == limit ? entries[^1].Seq : null);
    }

    static void Check(ListAuditRequest request)
    {
        foreach (var (field, text) in ((string, string?)[])[("actor", request.Actor), ("action", request.Action), ("object",
            request.Object),
            ("text", request.Text)])
            if (text is { Length: > LongestFilter } || text?.Contains('\0', StringComparison.Ordinal) == true)
                throw new BadInputException(field, $"The filter {field} cannot be that.", $"Write at most {LongestFilter} letters.");
        if (request.Since >= request.Until)
            throw new BadInputException("until", "The period ends before it begins.", "Give a later moment as its end.");
    }

    static string? Given(string? text) => text?.Trim() is { Length: > 0 } given ? given : null;

    /// <summary>Computes the newest links again; the last one must be the chain's head.</summary>
    async Task<bool> IsWhole(CancellationToken ct)
    {
        var head = await Head(db, ct);
        var first = Math.Max(1, head.Seq - VerifiedAtOnce + 1);
        var hash = await db.Scalar<string>("select hash from audit where seq = $1", [first - 1], ct);
        if (first > 1 && hash is null) return false;
        var (seq, last) = (first - 1, hash ?? HashChain.Start);
        var entries = await db.Query($"select {Columns} from audit where seq >= $1 order by seq limit $2", [first, VerifiedAtOnce * 2],
            Read, ct);
        foreach (var entry in entries.Where(entry => entry.Seq <= head.Seq))
        {
            if (entry.Seq != seq + 1 || entry.Hash != AuditChain.Link(last, entry)) return false;
            (seq, last) = (entry.Seq, entry.Hash);
        }
        return seq == head.Seq && last == head.Hash;
    }

    /// <summary>The chain's last link.</summary>
    internal static Task<(long Seq, string Hash)> Head(SqlSource db, CancellationToken ct)
        => db.First("select seq, hash from chain_head where chain = 'audit'", [], row => (row.Long("seq"), row.Text("hash")), ct);

    internal static AuditEntry Read(Row row)
        => new(row.Long("seq"), row.Time("at"), row.Text("actor"), row.Text("action"), row.Text("object"), row.Text("detail"),
            row.Text("hash"));
}
