using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks.Bundles;

/// <summary>What an execution from a bundle writes down: an export of evidence (<see cref="EvidenceFile"/>) that grows by a signed record
/// for each event and is closed when it is over. Any check of evidence verifies it.</summary>
public static class BundleJournal
{
    /// <summary>Kinds of its records, in the order in which they may first come: the bundle's certificate, how it began, what happened,
    /// what steps noted; the last one is an <see cref="ExecutionEvidence.Kind"/>.</summary>
    public const string Bundle = "bundle", Begun = "begun", Event = "event", Note = "note";

    /// <summary>Largest journal in bytes.</summary>
    public const int Largest = 64 << 20;

    /// <summary>Reads one, and verifies every byte of it.</summary>
    /// <param name="file">Its bytes. A last line without its end was being written when the writer died: it is left out.</param>
    /// <param name="sign">Signs a hash with the bundle's key, where it may be open; null where it must be closed.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="ConflictException">"bundle.altered": it is not as it was written; the message says which line.
    /// "bundle.unfinished": it is not closed, and has to be.</exception>
    public static async Task<ReadJournal> Read(byte[] file, Func<string, byte[]>? sign, CancellationToken ct)
    {
        var whole = sign is null ? file.Length : Array.LastIndexOf(file, (byte)'\n') + 1;
        var lines = Encoding.UTF8.GetString(file, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var isClosed = lines.Length > 0 && lines[^1].StartsWith("{\"end\":", StringComparison.Ordinal);
        if (lines.Length > 0 && !IsHead(lines[0])) throw Altered("line 1: it is no first line of such a file.");
        var verdict = await Check(file.AsMemory(0, whole), isClosed || sign is null ? null : Close(lines, sign), ct);
        if (verdict.Problems.Count > 0)
        {
            var first = verdict.Problems[0];
            // Cut at the end of a line: nothing of what is there was altered.
            if (verdict.Problems.Count == 1 && sign is null && !isClosed && file.Length > 0 && file[^1] == '\n')
                throw new ConflictException("bundle.unfinished", "This execution is not over, or its file was cut off.",
                    "Execute the bundle again on the machine where it was begun: it goes on where it was. Take the file from there then.");
            throw Altered($"line {first.Line}: {first.Text}");
        }
        if (verdict.Records == 0) throw Altered("it holds no record");
        var read = new ReadJournal(lines[0], [.. lines[1..(isClosed ? ^1 : ^0)].Select(RecordOf)], isClosed, whole);
        // Until it is closed nothing else vouches for the first line.
        return read.Begin.Head == HashChain.Hash(lines[0]) ? read : throw Altered("line 1: it is not the one that the third line names.");
    }

    /// <summary>The first line.</summary>
    public static string Head(byte[] publicKey, DateTimeOffset now) => EvidenceFile.Head(publicKey, 1, HashChain.Start, now);

    /// <summary>Whether a line is what <see cref="Head"/> writes for some key and moment.</summary>
    static bool IsHead(string line)
    {
        try
        {
            using var head = JsonDocument.Parse(line);
            return head.RootElement.GetProperty("publicKey").GetString() is { } key
                && DateTimeOffset.TryParse(head.RootElement.GetProperty("madeAt").GetString(), CultureInfo.InvariantCulture,
                    DateTimeStyles.AssumeUniversal, out var madeAt) && Head(Convert.FromBase64String(key), madeAt) == line;
        }
        // No such line, whatever it is.
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    /// <summary>A record's line, and its hash.</summary>
    public static (string Line, string Hash) Record(EvidenceRecord record, Func<string, byte[]> sign)
        => (EvidenceFile.Record(record, record.Hash, sign(record.Hash)), record.Hash);

    /// <summary>The body of a record.</summary>
    public static string Body<T>(T value, JsonTypeInfo<T> shape) => CanonicalJson.Write(JsonSerializer.SerializeToElement(value, shape));

    /// <summary>The last line of a journal with these lines.</summary>
    public static string Close(IReadOnlyList<string> lines, Func<string, byte[]> sign)
    {
        if (lines.Count < 2) return "";   // there is nothing to be closed: the check says so
        var (seq, hash) = Last(lines[^1]);
        var end = EvidenceFile.End(lines[0], lines.Count - 1, seq, hash, seq, hash);
        return EvidenceFile.EndLine(end, sign(HashChain.Hash(end)));
    }

    static (long Seq, string Hash) Last(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return (long.Parse(document.RootElement.GetProperty("record").GetProperty("seq").GetString()!, CultureInfo.InvariantCulture),
                document.RootElement.GetProperty("hash").GetString()!);
        }
        // The check that follows says which line it is.
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or ArgumentException or OverflowException)
        {
            return (0, HashChain.Start);
        }
    }

    static async Task<EvidenceVerdict> Check(ReadOnlyMemory<byte> file, string? end, CancellationToken ct)
    {
        using var stream = new MemoryStream();
        stream.Write(file.Span);
        if (end is { Length: > 0 }) stream.Write(Encoding.UTF8.GetBytes(end + "\n"));
        stream.Position = 0;
        return await EvidenceCheck.Run(stream, ct);
    }

    static EvidenceRecord RecordOf(string line)
    {
        using var document = JsonDocument.Parse(line);
        var record = document.RootElement.GetProperty("record");
        string Text(string name) => record.GetProperty(name).GetString()!;
        return new EvidenceRecord(long.Parse(Text("seq"), CultureInfo.InvariantCulture), Text("previous"), Text("id"), Text("at"),
            Text("kind"), Text("subject"), Text("body"));
    }

    internal static ConflictException Altered(string where) => new("bundle.altered", $"What was written down of this execution is not as "
        + $"it was written: {where}", "Nothing was taken from it. Use another copy of the file.");
}

/// <summary>A journal that was read and whose bytes are as they were written.</summary>
/// <param name="HeadLine">Its first line, with the bundle's key.</param>
/// <param name="Records">Its records.</param>
/// <param name="IsClosed">Whether it was over.</param>
/// <param name="Length">Bytes up to the end of its last whole line.</param>
public sealed record ReadJournal(string HeadLine, IReadOnlyList<EvidenceRecord> Records, bool IsClosed, int Length)
{
    /// <summary>The bundle's key: SubjectPublicKeyInfo in base64.</summary>
    public string PublicKey
    {
        get
        {
            using var head = JsonDocument.Parse(HeadLine);
            return head.RootElement.GetProperty("publicKey").GetString()!;
        }
    }

    /// <summary>The certificate of that key.</summary>
    /// <exception cref="ConflictException">"bundle.altered": the first record is none.</exception>
    public BundleCertificate Certificate => Only(BundleJournal.Bundle, 0, BundleJson.Default.BundleCertificate);

    /// <summary>How it began.</summary>
    /// <exception cref="ConflictException">"bundle.altered": the second record does not tell.</exception>
    public BundleBegin Begin => Only(BundleJournal.Begun, 1, BundleJson.Default.BundleBegin);

    /// <summary>What was executed.</summary>
    public RunbookSpec Spec
    {
        get
        {
            try { return StoredJson.Read<RunbookSpec>(Begin.Spec); }
            catch (JsonException e) { throw BundleJournal.Altered($"record 2 holds no runbook: {e.Message}"); }
        }
    }

    /// <summary>The execution's id, in text form.</summary>
    public string Execution => Records[0].Subject;

    /// <summary>What happened, in order.</summary>
    public IEnumerable<ExecutionEvent> Events => Of(BundleJournal.Event, BundleJson.Default.ExecutionEvent);

    /// <summary>What steps noted, in order.</summary>
    public IEnumerable<BundleNote> Notes => Of(BundleJournal.Note, BundleJson.Default.BundleNote);

    /// <summary>Its evidence; null while it is not over.</summary>
    public EvidenceBody? Evidence => Of(ExecutionEvidence.Kind, WireJson.Default.EvidenceBody).LastOrDefault();

    /// <summary>What the events make of it, each with what people were told.</summary>
    /// <param name="graph">What was executed.</param>
    public (Execution State, IReadOnlyList<(ExecutionEvent? Event, IReadOnlyList<string> Told)> Events) Replay(RunbookGraph graph)
    {
        var begin = Begin;
        var decided = Decision.Begin(graph, begin.Mode, begin.At);
        var events = new List<(ExecutionEvent?, IReadOnlyList<string>)> { (null, Told(decided)) };
        foreach (var happened in Events)
        {
            decided = Decision.Apply(graph, decided.Execution, happened);
            events.Add((happened, Told(decided)));
        }
        return (decided.Execution, events);
    }

    static IReadOnlyList<string> Told(Decided decided)
        => [.. decided.Effects.Where(effect => effect.Kind == EffectKind.Tell).Select(effect => effect.Text ?? "")];

    T Only<T>(string kind, int place, JsonTypeInfo<T> shape) => Records.Count > place && Records[place].Kind == kind
        ? Body(Records[place], shape) : throw BundleJournal.Altered($"record {place + 1} is not the one that belongs there.");

    IEnumerable<T> Of<T>(string kind, JsonTypeInfo<T> shape)
        => Records.Where(record => record.Kind == kind).Select(record => Body(record, shape));

    static T Body<T>(EvidenceRecord record, JsonTypeInfo<T> shape)
    {
        try
        {
            if (JsonSerializer.Deserialize(record.Body, shape) is { } body) return body;
        }
        catch (Exception e) when (e is JsonException or BadInputException)
        {
            throw BundleJournal.Altered($"record {record.Seq} ({record.Kind}) cannot be read: {e.Message}");
        }
        throw BundleJournal.Altered($"record {record.Seq} ({record.Kind}) is empty.");
    }
}
