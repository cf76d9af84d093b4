using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>What a new host downloads from the agents' listener: the install script and the agent archive.</summary>
public sealed class InstallScript(Postgres db, CertificateAuthority authority, AgentArchive archive)
{
    /// <summary>The script for a token. It carries all it needs: address, pinned key, the archive's hash, the token.</summary>
    /// <exception cref="DeniedException">The token cannot be used any more.</exception>
    public async Task<string> Text(string token, CancellationToken ct)
    {
        var url = await Note(token, "script_fetched_at", ct);
        await using var stream = typeof(InstallScript).Assembly.GetManifestResourceStream("install.sh")!;
        using var reader = new StreamReader(stream);
        return (await reader.ReadToEndAsync(ct)).Replace("{{AGENTS_URL}}", url, StringComparison.Ordinal).Replace("{{PIN}}", authority.ListenerPin, StringComparison.Ordinal)
            .Replace("{{TOKEN}}", token, StringComparison.Ordinal).Replace("{{ARCHIVE_SHA256}}", await archive.Hash(ct), StringComparison.Ordinal);
    }

    /// <summary>The archive's file, for somebody with a usable token.</summary>
    public async Task<string> Archive(string token, CancellationToken ct)
    {
        await Note(token, "archive_fetched_at", ct);
        return archive.File();
    }

    /// <summary>Notes when it happened; gives the address that the token was made for.</summary>
    Task<string> Note(string token, string column, CancellationToken ct) => db.InTransaction(async tx =>
        {
            var (id, url) = await tx.First($"update join_token set {column} = coalesce({column}, clock()) where hash = $1 and expires_at > clock() and host_id is null returning id, agents_url", [TokenHash.Of(token)], row => (row.Id<JoinTokenId>(0), row.Text(1)), ct);
            if (id.Value == Guid.Empty) throw new DeniedException("This join token is unknown, used or expired.", "Make a new one in the console under Agents, Add host.");
            await Notifications.Changed(tx, "joins", id.ToString(), ct);
            return url;
        }, ct);
}

/// <summary>The self-contained agent for hosts without .NET.</summary>
public sealed class AgentArchive(AgentsOptions options)
{
    readonly string _path = options.Archive.Length > 0 ? options.Archive : Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "agent", "backupdr-agent-linux-x64.tar.gz"));
    string? _hash;

    /// <summary>The file.</summary>
    /// <exception cref="UnavailableException">It was not built.</exception>
    public string File() => System.IO.File.Exists(_path) ? _path
        : throw new UnavailableException("agent.archive", $"The agent archive {_path} is not there.", "Build it with 'build/publish', or set Agents:Archive.");

    /// <summary>Its SHA-256, 64 hex characters.</summary>
    public async Task<string> Hash(CancellationToken ct)
    {
        if (_hash is not null) return _hash;
        await using var stream = System.IO.File.OpenRead(File());
        return _hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, ct));
    }
}
