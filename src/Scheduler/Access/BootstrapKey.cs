using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Admits the API key in the file that Bootstrap:ApiKeyFile names: the first way in.</summary>
public sealed class BootstrapKey(Postgres db, BootstrapOptions options, TimeProvider clock)
{
    const string Name = "bootstrap";
    const int MinimumLength = 22;   // 128 bits in base64

    /// <summary>Makes sure that the key in the file opens the API, and that no former one does. Called once at start-up.</summary>
    /// <exception cref="BadInputException">The file cannot be read or holds no key.</exception>
    public async Task Admit(CancellationToken ct)
    {
        if (options.ApiKeyFile.Length == 0) return;
        var key = await Read(ct);
        await using var tx = await db.Begin(ct);
        await tx.Execute("lock table api_key in share row exclusive mode", [], ct);   // nodes that start together admit it once
        if (await tx.Scalar<bool>("select exists (select from api_key where hash = $1 and revoked_at is null)", [TokenHash.Of(key)],
            ct)) return;
        await tx.Execute("update api_key set revoked_at = clock() where name = $1 and revoked_at is null", [Name], ct);
        var id = ApiKeyId.New(clock);
        await tx.Execute("insert into api_key (id, name, hash, role) values ($1, $2, $3, $4)", [id, Name, TokenHash.Of(key), Role.Admin],
            ct);
        await Audit.Add(tx, Caller.System("start"), "key.admit", id.ToString(), $"{Name}, from {options.ApiKeyFile}", ct);
        await tx.Commit(ct);
    }

    async Task<string> Read(CancellationToken ct)
    {
        string key;
        try
        {
            key = (await File.ReadAllTextAsync(options.ApiKeyFile, ct)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("Bootstrap:ApiKeyFile", $"Bootstrap:ApiKeyFile cannot be read: {e.Message}",
                "Name a readable file, or leave the setting out.");
        }
        return key.Length >= MinimumLength ? key
            : throw new BadInputException("Bootstrap:ApiKeyFile", $"{options.ApiKeyFile} holds a key of {key.Length} characters.",
                $"Put at least {MinimumLength} random ones into it.");
    }
}
