using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Storage.Posix;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Writes down what happens, a signed line for each: what is on the disk for good before anything follows from it. Safe for
/// concurrent use.</summary>
sealed class JournalWriter : IDisposable
{
    const int OwnerOnly = 0x180;   // 0600

    readonly Lock _one = new();
    readonly Descriptor _file;
    readonly ECDsa _key;
    readonly string _subject;
    readonly TimeProvider _clock;
    readonly List<string> _lines;
    long _length, _seq;
    string _previous = HashChain.Start;

    JournalWriter(Descriptor file, ECDsa key, string subject, TimeProvider clock, List<string> lines)
        => (_file, _key, _subject, _clock, _lines) = (file, key, subject, clock, lines);

    /// <summary>Begins one.</summary>
    /// <param name="path">Where; nothing is there yet.</param>
    /// <param name="key">The bundle's key.</param>
    /// <param name="execution">What its records are about.</param>
    /// <param name="clock">The time.</param>
    public static JournalWriter Begin(string path, ECDsa key, string execution, TimeProvider clock)
    {
        var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, OwnerOnly);
        var writer = new JournalWriter(file, key, execution, clock, []);
        writer.Write(BundleJournal.Head(key.ExportSubjectPublicKeyInfo(), clock.GetUtcNow()));
        using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
        folder.Sync();
        return writer;
    }

    /// <summary>Goes on with one that was read and is not closed.</summary>
    public static JournalWriter GoOn(string path, ReadJournal read, ECDsa key, TimeProvider clock)
    {
        var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.WriteOnly, 0);
        file.SetLength(read.Length);   // the rest of a line that was being written when the writer died
        var lines = File.ReadAllText(path).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return new JournalWriter(file, key, read.Execution, clock, [.. lines])
        {
            _length = read.Length,
            _seq = read.Records[^1].Seq,
            _previous = read.Records[^1].Hash,
        };
    }

    /// <summary>Hash of its first line.</summary>
    public string HeadHash => HashChain.Hash(_lines[0]);

    /// <summary>Adds a record. On return it is there for good.</summary>
    public void Add<T>(string kind, T body, JsonTypeInfo<T> shape, string? subject = null)
    {
        lock (_one)
        {
            var now = _clock.GetUtcNow();
            var record = new EvidenceRecord(_seq + 1, _previous, EvidenceId.New(_clock).ToString(), HashChain.Moment(now), kind,
                subject ?? _subject, BundleJournal.Body(body, shape));
            var (line, hash) = BundleJournal.Record(record, Sign);
            Write(line);
            (_seq, _previous) = (_seq + 1, hash);
        }
    }

    /// <summary>Closes it: nothing follows.</summary>
    public void Close()
    {
        lock (_one) Write(BundleJournal.Close(_lines, Sign));
    }

    byte[] Sign(string hash) => EvidenceSignature.Sign(_key, hash);

    void Write(string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\n");
        _file.WriteAt(_length, bytes);
        _file.Sync();
        _length += bytes.Length;
        _lines.Add(line);
    }

    public void Dispose() => _file.Dispose();
}
