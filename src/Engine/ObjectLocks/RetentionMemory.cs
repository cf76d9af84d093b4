using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Engine.Cache;
using BackupDr.Storage;

namespace BackupDr.Engine.ObjectLocks;

/// <summary>What this machine knows of a repository's retentions. Disposable.</summary>
/// <remarks>Lines of a name and seconds since 1970.</remarks>
sealed class RetentionMemory
{
    /// <summary>About three million objects.</summary>
    const int MaximumBytes = 256 << 20;

    readonly CacheFile _file;

    public RetentionMemory(Repository repository)
    {
        // The same repository in another place has retentions of its own.
        var place = SHA256.HashData(Encoding.UTF8.GetBytes(repository.Store.Url));
        _file = new CacheFile(repository, $"retention-{Convert.ToHexStringLower(place.AsSpan(0, 8))}", MaximumBytes);
    }

    /// <summary>What was written; empty where there is nothing that can be trusted.</summary>
    public Dictionary<ObjectName, DateTimeOffset> Read()
    {
        var found = new Dictionary<ObjectName, DateTimeOffset>();
        foreach (var line in Encoding.ASCII.GetString(_file.Read().Span).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (line.Split(' ') is [var name, var seconds] && ObjectName.IsLegal(name)
                && long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var until)
                && until <= DateTimeOffset.MaxValue.ToUnixTimeSeconds())
                found[new ObjectName(name)] = DateTimeOffset.FromUnixTimeSeconds(until);
        return found;
    }

    /// <summary>Replaces what was written, where that can be done.</summary>
    public void Write(IEnumerable<KeyValuePair<ObjectName, DateTimeOffset>> known)
    {
        var text = new StringBuilder();
        // Rounded down: what is remembered must not be later than what is so.
        foreach (var (name, until) in known) text.Append(CultureInfo.InvariantCulture, $"{name} {until.ToUnixTimeSeconds()}\n");
        _file.Write(Encoding.ASCII.GetBytes(text.ToString()));
    }
}
