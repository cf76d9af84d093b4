using System.Globalization;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts.Api;

namespace BackupDr.Contracts.Rules.Evidence;

/// <summary>Follows the audit log's chain entry by entry and names what was done to it. Pure; the node and the command use it.</summary>
/// <remarks>A cut at the end shows only against a head that is kept elsewhere: each evidence record of the kind "audit" is one.</remarks>
public sealed class AuditChain
{
    /// <summary>What the first line of an export says.</summary>
    public const string Format = "backupdr-audit-1";

    /// <summary>Kind of the evidence that records a head of this chain.</summary>
    public const string AnchorKind = "audit";

    /// <summary>Most problems that are told.</summary>
    public const int MostProblems = 100;

    readonly List<AuditProblem> _problems = [];
    readonly Dictionary<long, string> _wanted;
    long _seq;
    string _hash = HashChain.Start;

    /// <param name="anchors">Heads that are known from elsewhere: number and hash.</param>
    public AuditChain(IEnumerable<(long Seq, string Hash)> anchors)
        => _wanted = anchors.GroupBy(one => one.Seq).ToDictionary(one => one.Key, one => one.Last().Hash);

    /// <summary>Number of the last entry that was taken.</summary>
    public long Seq => _seq;

    /// <summary>Hash that the last entry states.</summary>
    public string Hash => _hash;

    /// <summary>What was found so far.</summary>
    public IReadOnlyList<AuditProblem> Problems => _problems;

    /// <summary>The hash of an entry.</summary>
    public static string Link(string previous, AuditEntry entry) => HashChain.Link(previous, entry.Seq, new Dictionary<string, string>
    {
        ["at"] = HashChain.Moment(entry.At),
        ["actor"] = entry.Actor,
        ["action"] = entry.Action,
        ["object"] = entry.Object,
        ["detail"] = entry.Detail,
    });

    /// <summary>Takes the next entry, in the order in which they are kept.</summary>
    public void Take(AuditEntry entry)
    {
        if (entry.Seq <= _seq)
            Wrong(entry.Seq, $"Entry {entry.Seq} stands after entry {_seq}: it was moved, or added twice.");
        else if (entry.Seq > _seq + 1)
            Wrong(_seq + 1, entry.Seq == _seq + 2 ? $"Entry {_seq + 1} is missing: it was deleted, or moved elsewhere."
                : $"Entries {_seq + 1} to {entry.Seq - 1} are missing: they were deleted, or moved elsewhere.");
        // Behind a gap nobody knows the hash before: the entry is compared as soon as there is one again.
        if (entry.Seq == _seq + 1 && Link(_hash, entry) is var link && link != entry.Hash)
            Wrong(entry.Seq, $"Entry {entry.Seq} ({entry.Action} by {entry.Actor}) was changed, or the one before it was.");
        if (entry.Seq > _seq) (_seq, _hash) = (entry.Seq, entry.Hash);
        if (_wanted.Remove(entry.Seq, out var wanted) && wanted != entry.Hash)
            Wrong(entry.Seq, $"Entry {entry.Seq} is not the one that was there when its hash was recorded elsewhere.");
    }

    /// <summary>Ends it: compares with the head that is kept beside the log, and with heads that no entry answered.</summary>
    public void End(long headSeq, string headHash)
    {
        if (headSeq > _seq) Wrong(_seq + 1, $"The log ends at entry {_seq}, and its head says {headSeq}: what came after was cut off.");
        else if (headSeq < _seq) Wrong(_seq, $"The log goes on to entry {_seq}, and its head says {headSeq}: the head was changed, or "
            + "entries were added.");
        else if (headHash != _hash) Wrong(_seq, $"The last entry {_seq} is not the one that the head of the log names.");
        foreach (var seq in _wanted.Keys.Order())
            Wrong(_seq + 1, $"The log once had an entry {seq}, whose hash was recorded elsewhere, and ends at {_seq}: it was cut off.");
    }

    /// <summary>The line of an entry in an export: canonical JSON.</summary>
    public static string Line(AuditEntry entry) => Canonical(json =>
    {
        json.WriteString("action", entry.Action);
        json.WriteString("actor", entry.Actor);
        json.WriteString("at", HashChain.Moment(entry.At));
        json.WriteString("detail", entry.Detail);
        json.WriteString("hash", entry.Hash);
        json.WriteString("object", entry.Object);
        json.WriteString("seq", entry.Seq.ToString(CultureInfo.InvariantCulture));
    });

    /// <summary>The first line of an export.</summary>
    public static string Head(DateTimeOffset madeAt, byte[] publicKey) => Canonical(json =>
    {
        json.WriteString("fingerprint", EvidenceSignature.Fingerprint(publicKey));
        json.WriteString("format", Format);
        json.WriteString("madeAt", HashChain.Moment(madeAt));
        json.WriteString("publicKey", Convert.ToBase64String(publicKey));
    });

    /// <summary>What the last line of an export signs.</summary>
    public static string Signed(string head, long seq, string hash) => Canonical(json =>
    {
        json.WriteString("hash", hash);
        json.WriteString("head", HashChain.Hash(head));
        json.WriteString("seq", seq.ToString(CultureInfo.InvariantCulture));
    });

    /// <summary>The last line of an export.</summary>
    public static string End(string signed, byte[] signature)
        => CanonicalJson.Write($$"""{"end":{{signed}},"signature":"{{Convert.ToBase64String(signature)}}"}""");

    static string Canonical(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        return CanonicalJson.Write(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    void Wrong(long entry, string text)
    {
        if (_problems.Count < MostProblems) _problems.Add(new AuditProblem(entry, text));
    }
}
