using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Steps;

/// <summary>What this host was told to do by runbooks, and what came of it: a small file for each activity, written before it begins.
/// </summary>
/// <remarks>An activity that was begun and has no end here was at work when the agent ended. It is not begun again: nobody knows how far it
/// came.</remarks>
/// <param name="folder">Absolute path; made where it is missing.</param>
/// <param name="clock">The time.</param>
public sealed class StepJournal(string folder, TimeProvider clock)
{
    /// <summary>How long an entry is kept: no execution goes on for longer.</summary>
    static readonly TimeSpan KeptFor = TimeSpan.FromDays(60);

    /// <summary>What is known of an activity; null for nothing.</summary>
    public StepEntry? Find(string key)
    {
        byte[] text;
        try { text = File.ReadAllBytes(FileOf(key)); }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException) { return null; }   // it was never begun here
        try
        {
            if (JsonSerializer.Deserialize(text, StepJson.Default.StepEntry) is { } entry && entry.Key == key) return entry;
        }
        catch (JsonException) { return new StepEntry(key, DateTimeOffset.UnixEpoch, null); }   // damaged: it was begun, more is not known
        return new StepEntry(key, DateTimeOffset.UnixEpoch, null);
    }

    /// <summary>Notes, for good, that it begins.</summary>
    public void Begin(string key) => Write(new StepEntry(key, clock.GetUtcNow(), null));

    /// <summary>Notes, for good, what came of it.</summary>
    public void End(string key, HostStepReport report)
        => Write(new StepEntry(key, Find(key)?.BeganAt ?? clock.GetUtcNow(), report));

    /// <summary>Forgets what is too old to be asked for.</summary>
    public void Sweep()
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles())
            if (clock.GetUtcNow() - file.LastWriteTimeUtc > KeptFor) file.Delete();
    }

    string FileOf(string key) => Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))));

    void Write(StepEntry entry)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        PrivateFile.Write(FileOf(entry.Key), JsonSerializer.Serialize(entry, StepJson.Default.StepEntry));
    }
}

/// <summary>An activity that was begun here.</summary>
/// <param name="Key">Names it.</param>
/// <param name="BeganAt">When it began.</param>
/// <param name="Report">What came of it; null where that was not noted.</param>
public sealed record StepEntry(string Key, DateTimeOffset BeganAt, HostStepReport? Report);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(StepEntry))]
sealed partial class StepJson : JsonSerializerContext;
