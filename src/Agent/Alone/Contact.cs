using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;

namespace BackupDr.Agent.Alone;

/// <summary>Whether nodes answer this host. Only an answer to the question for work counts: a node whose database is away, or that is being
/// emptied, hands out nothing.</summary>
/// <remarks>A node that refuses this host is reachable: a host that was retired, or whose control plane was superseded, does nothing by
/// itself.</remarks>
public sealed class Contact
{
    /// <summary>How old the noted time of the last answer may be.</summary>
    static readonly TimeSpan NoteEvery = TimeSpan.FromMinutes(5);

    readonly AgentState _state;
    readonly TimeProvider _boot, _wall;
    readonly Lock _gate = new();
    ContactText _noted;
    DateTimeOffset _answeredAt;
    long _since;
    int _failures;
    bool _isRefused;

    /// <summary>Reads when a node answered last.</summary>
    /// <param name="state">The state folder.</param>
    /// <param name="boot">Measures silence; goes on while the machine sleeps.</param>
    /// <param name="wall">Tells the time.</param>
    public Contact(AgentState state, TimeProvider boot, TimeProvider wall)
    {
        (_state, _boot, _wall, _since) = (state, boot, wall, boot.GetTimestamp());
        _noted = Read(state) ?? new ContactText(wall.GetUtcNow(), null);
        _answeredAt = _noted.AnsweredAt;
    }

    /// <summary>When a node answered last, by this host's clock.</summary>
    public DateTimeOffset AnsweredAt { get { lock (_gate) return _answeredAt; } }

    /// <summary>A node answered.</summary>
    public void Answered()
    {
        lock (_gate)
        {
            (_answeredAt, _since, _failures, _isRefused) = (_wall.GetUtcNow(), _boot.GetTimestamp(), 0, false);
            if (_noted.AloneSince is not null || (_answeredAt - _noted.AnsweredAt).Duration() >= NoteEvery)
                Note(new ContactText(_answeredAt, null));
        }
    }

    /// <summary>The question for work failed.</summary>
    public void Failed(BackupDrException why)
    {
        lock (_gate) (_failures, _isRefused) = (_failures + 1, why is not UnavailableException);
    }

    /// <summary>Whether no node has answered for so long; notes it.</summary>
    /// <param name="after">How long.</param>
    /// <param name="nodes">How many addresses there are: after a restart, one that was alone before asks all of them once.</param>
    public bool IsAlone(TimeSpan after, int nodes)
    {
        lock (_gate)
        {
            if (_isRefused || _failures == 0) return false;
            if (_boot.GetElapsedTime(_since) < after && !(_noted.AloneSince is not null && _failures >= nodes)) return false;
            if (_noted.AloneSince is null) Note(new ContactText(_answeredAt, _answeredAt));
            return true;
        }
    }

    void Note(ContactText text)
    {
        _noted = text;
        try
        {
            Directory.CreateDirectory(_state.AloneFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            PrivateFile.Write(FileOf(_state), JsonSerializer.Serialize(text, ContactJson.Default.ContactText));
        }
        // It counts all the same; after a restart an older time does, and silence is measured anew.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Storage.Posix.PosixException) { return; }
    }

    static string FileOf(AgentState state) => Path.Combine(state.AloneFolder, "contact.json");

    /// <summary>What was noted; null for nothing, or nothing that can be read.</summary>
    internal static ContactText? Read(AgentState state)
    {
        try
        {
            var file = FileOf(state);
            return File.Exists(file) ? JsonSerializer.Deserialize(File.ReadAllBytes(file), ContactJson.Default.ContactText) : null;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException) { return null; }   // as if never noted
    }
}

/// <summary>When nodes answered.</summary>
/// <param name="AnsweredAt">The last time, to within minutes.</param>
/// <param name="AloneSince">Set while this host works by itself: the last time exactly.</param>
sealed record ContactText(DateTimeOffset AnsweredAt, DateTimeOffset? AloneSince);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ContactText))]
sealed partial class ContactJson : JsonSerializerContext;
