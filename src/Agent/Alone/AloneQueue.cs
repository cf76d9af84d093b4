using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Alone;

/// <summary>Runs that this host made alone and has not told yet: a file each, written before the run begins and once more when it ended,
/// each time durably and as a whole. What came of a run is never dropped; lines of logs are, the oldest first, when they are too many.
/// </summary>
/// <remarks>A file that was begun and not ended is a run in whose middle the agent ended: it is made again.</remarks>
public sealed class AloneQueue
{
    /// <summary>Most runs; no further one begins before some were told.</summary>
    public const int MostRuns = 5000;
    /// <summary>Most bytes with the lines of logs in them.</summary>
    public const long MostBytes = 16 << 20;

    const long MostBytesOfMessage = 1 << 20;
    const string Over = "over", Begun = "begun", Ending = ".run", Damaged = ".damaged";

    sealed record Note(RunId Id, ItemId Item, DateTimeOffset NominalAt, DateTimeOffset EndedAt, bool IsOver, int Lines, long Bytes);

    readonly string _folder;
    readonly long _mostBytes;
    readonly Lock _gate = new();
    readonly SortedDictionary<string, Note> _notes = new(StringComparer.Ordinal);

    /// <summary>Reads what is there.</summary>
    /// <param name="folder">Absolute path; made with the first run.</param>
    /// <param name="mostBytes">For tests: another <see cref="MostBytes"/>.</param>
    /// <param name="mayMove">Whether damaged files are set aside; who only looks leaves them.</param>
    public AloneQueue(string folder, long mostBytes = MostBytes, bool mayMove = true)
    {
        (_folder, _mostBytes) = (folder, mostBytes);
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.GetFiles(folder, $"*{Ending}"))
        {
            if (Read(file) is { } found) Remember(found.Run, found.IsOver, new FileInfo(file).Length);
            // Not thrown away: a person may want to read in it.
            else if (mayMove) File.Move(file, file + Damaged, overwrite: true);
        }
    }

    /// <summary>How many have ended and were not told.</summary>
    public int Waiting { get { lock (_gate) return _notes.Values.Count(note => note.IsOver); } }

    /// <summary>Whether no further run may begin.</summary>
    public bool IsFull { get { lock (_gate) return _notes.Count >= MostRuns; } }

    /// <summary>Files that could not be read, set aside.</summary>
    public int DamagedFiles => Directory.Exists(_folder) ? Directory.EnumerateFiles(_folder, $"*{Damaged}").Count() : 0;

    /// <summary>Items and nominal times of all that are here.</summary>
    public IReadOnlyList<(ItemId Item, DateTimeOffset NominalAt, DateTimeOffset EndedAt)> Known
    {
        get { lock (_gate) return [.. _notes.Values.Select(note => (note.Item, note.NominalAt, note.EndedAt))]; }
    }

    /// <summary>Notes, for good, that a run begins, or begins once more.</summary>
    /// <exception cref="IOException">It cannot be noted: it must not begin.</exception>
    public void Begin(AloneRun run)
    {
        lock (_gate) Write(run, isOver: false);
    }

    /// <summary>Notes, for good, what came of a run.</summary>
    /// <exception cref="IOException">It cannot be noted.</exception>
    public void End(AloneRun run)
    {
        lock (_gate)
        {
            Write(run, isOver: true);
            while (_notes.Values.Sum(note => note.Bytes) > _mostBytes
                && _notes.FirstOrDefault(note => note.Value is { IsOver: true, Lines: > 1 }) is { Value: { } oldest } && WithoutLog(oldest))
                continue;
        }
    }

    /// <returns>Whether it was done; false where its file cannot be read any more.</returns>
    bool WithoutLog(Note note)
    {
        if (Read(FileOf(note.Id)) is not { } found) return _notes.Remove(note.Id.ToString());
        Write(found.Run with
        {
            Events = [new RunEventLine(found.Run.EndedAt, EventLevel.Warning, "run.log_dropped",
                $"The {found.Run.Events.Count} lines of this run's log were dropped: its host was alone for long, and had no room for "
                + "them.")],
        }, isOver: true);
        return true;
    }

    /// <summary>Runs that were begun and not ended.</summary>
    public IReadOnlyList<AloneRun> Interrupted() => Pick(isOver: false, MostRuns);

    /// <summary>The oldest runs that ended: one at least, and more while they fit into a message.</summary>
    public IReadOnlyList<AloneRun> Next(int most)
    {
        lock (_gate)
        {
            var bytes = 0L;
            return Pick(isOver: true, _notes.Values.Where(note => note.IsOver).Take(most)
                .Select((note, at) => (bytes += note.Bytes) <= MostBytesOfMessage || at == 0).TakeWhile(fits => fits).Count());
        }
    }

    List<AloneRun> Pick(bool isOver, int most)
    {
        lock (_gate)
            return [.. _notes.Values.Where(note => note.IsOver == isOver).Take(most).ToList()
                .Select(note => Read(FileOf(note.Id))?.Run).OfType<AloneRun>()];
    }

    /// <summary>Forgets a run that a node has taken.</summary>
    public void Forget(RunId run)
    {
        lock (_gate)
        {
            _notes.Remove(run.ToString());
            File.Delete(FileOf(run));
        }
    }

    string FileOf(RunId run) => Path.Combine(_folder, run + Ending);

    void Write(AloneRun run, bool isOver)
    {
        Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var json = JsonSerializer.Serialize(run, WireJson.Default.AloneRun);
        var text = $"{Mark(json)} {(isOver ? Over : Begun)}\n{json}";
        PrivateFile.Write(FileOf(run.Id), text);
        Remember(run, isOver, Encoding.UTF8.GetByteCount(text));
    }

    void Remember(AloneRun run, bool isOver, long bytes)
        => _notes[run.Id.ToString()] = new Note(run.Id, run.Item, run.NominalAt, run.EndedAt, isOver, run.Events.Count, bytes);

    static (AloneRun Run, bool IsOver)? Read(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            if (text.IndexOf('\n', StringComparison.Ordinal) is not (> 0 and var end)) return null;
            var (head, json) = (text[..end].Split(' '), text[(end + 1)..]);
            return head is [var mark, Over or Begun] && mark == Mark(json)
                && JsonSerializer.Deserialize(json, StoredJson.Of(WireJson.Default.AloneRun)) is { } run ? (run, head[1] == Over) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException) { return null; }   // damaged
    }

    static string Mark(string json) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json)));
}
