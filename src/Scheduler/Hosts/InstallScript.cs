using System.Security.Cryptography;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>The script that a new host runs. It carries all it needs: address, pinned key, the archive's hash, the token.</summary>
public sealed partial class InstallScript(Postgres db, CertificateAuthority authority, AgentArchive archive)
{
    const string Resource = "install.sh";

    /// <summary>The script for a usable token; for any other one that says so on stderr and fails, since its reader is a shell.</summary>
    public async Task<string> For(string token, CancellationToken ct)
    {
        if (!TokenPattern().IsMatch(token)) return Failing("This is no join token. Copy the whole line from the console.");
        var url = await Note(token, "script_fetched_at", ct);
        if (url is null) return Failing("This join token is unknown, was used already or has expired. Make a new one in the console under "
            + "Agents, Add host.");
        using var stream = typeof(InstallScript).Assembly.GetManifestResourceStream(Resource);
        if (stream is null) return Failing("This node was built without its install script.");
        using var reader = new StreamReader(stream);
        try
        {
            return (await reader.ReadToEndAsync(ct))
                .Replace("{{AGENTS_URL}}", url, StringComparison.Ordinal)
                .Replace("{{PIN}}", authority.ListenerPin, StringComparison.Ordinal)
                .Replace("{{ARCHIVE_SHA256}}", await archive.Hash(ct), StringComparison.Ordinal)
                .Replace("{{TOKEN}}", token, StringComparison.Ordinal);
        }
        catch (UnavailableException e)
        {
            return Failing($"{e.Message} {e.Hint}");
        }
    }

    /// <summary>Notes that the archive was fetched with a token, so that the one who waits sees it.</summary>
    public Task NoteArchive(string token, CancellationToken ct) => Note(token, "archive_fetched_at", ct);

    /// <returns>The agents' URL of a usable token; null for any other.</returns>
    async Task<string?> Note(string token, string column, CancellationToken ct)
    {
        await using var tx = await db.Begin(ct);
        var (id, url) = await tx.First($"""
            update join_token set {column} = coalesce({column}, clock()) where hash = $1 and {JoinTokenTable.IsUsable}
            returning id, agents_url
            """, [TokenHash.Of(token)], row => (row.Id<JoinTokenId>("id"), row.Text("agents_url")), ct);
        if (url is null) return null;
        await Notifications.Changed(tx, "joins", id.ToString(), ct);
        await tx.Commit(ct);
        return url;
    }

    /// <summary>Letters that mean nothing to a shell, whatever the message.</summary>
    static string Failing(string message) => $"#!/bin/sh\necho 'backupdr: {UnsafeLetter().Replace(message, " ")}' >&2\nexit 1\n";

    [GeneratedRegex("^bdr1_[A-Za-z0-9_-]{20,100}_[0-9a-f]{64}$")]
    private static partial Regex TokenPattern();

    [GeneratedRegex(@"[^A-Za-z0-9 .,:;/_()-]")]
    private static partial Regex UnsafeLetter();
}

/// <summary>The self-contained agent for hosts without .NET.</summary>
public sealed class AgentArchive(AgentsOptions options) : IDisposable
{
    readonly SemaphoreSlim _once = new(1);
    (DateTime WrittenAt, long Size, string Hash)? _known;

    /// <summary>Where it is.</summary>
    /// <exception cref="UnavailableException">It was not built.</exception>
    public string File()
    {
        var path = options.Archive.Length > 0 ? options.Archive : Path.GetFullPath(Path.Combine(AppContext.BaseDirectory,
            "../agent/backupdr-agent-linux-x64.tar.gz"));
        return System.IO.File.Exists(path) ? path
            : throw new UnavailableException("agent.no_archive", $"The agent's archive {path} is not there.",
                "Build it with build/publish, or name it in Agents:Archive.");
    }

    /// <summary>Its SHA-256, 64 hex characters. Computed again when the file changes.</summary>
    public async Task<string> Hash(CancellationToken ct)
    {
        var file = new FileInfo(File());
        await _once.WaitAsync(ct);
        try
        {
            if (_known is { } known && known.WrittenAt == file.LastWriteTimeUtc && known.Size == file.Length) return known.Hash;
            await using var stream = file.OpenRead();
            var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, ct));
            _known = (file.LastWriteTimeUtc, file.Length, hash);
            return hash;
        }
        finally
        {
            _once.Release();
        }
    }

    public void Dispose() => _once.Dispose();
}
