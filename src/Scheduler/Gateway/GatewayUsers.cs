using System.Net.Http.Headers;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Gateway;

/// <summary>Recognises a repository's user.</summary>
public sealed class GatewayUsers(Postgres db)
{
    /// <summary>The caller, or null where name and password are none of ours.</summary>
    /// <param name="authorization">The header's value: "Basic …".</param>
    /// <param name="address">Where the request came from.</param>
    /// <param name="ct">Cancels.</param>
    public async Task<Caller?> Of(string authorization, string address, CancellationToken ct)
    {
        if (!AuthenticationHeaderValue.TryParse(authorization, out var header) || header is not { Scheme: "Basic", Parameter: { } encoded })
            return null;
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var length)) return null;
        var text = Encoding.UTF8.GetString(bytes, 0, length);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || !TypedId.TryParse<RepositoryId>(text[..colon], out var repository)) return null;
        // Looked up by its hash: the password has 192 random bits, so there is nothing to guess and no time to measure.
        return await db.Scalar<bool>("select exists (select from gateway_user where repository_id = $1 and hash = $2)",
            [repository, TokenHash.Of(text[(colon + 1)..])], ct) ? Caller.RepositoryUser(repository, address) : null;
    }

    /// <summary>Forgets the user of a repository that is detached.</summary>
    internal static Task Forget(Transaction tx, RepositoryId repository, CancellationToken ct)
        => tx.Execute("delete from gateway_user where repository_id = $1", [repository], ct);
}

/// <summary>Makes, or makes anew, the user with which stock restic reaches a repository through the gateway. The former password
/// ends.</summary>
public sealed class CreateGatewayUser(Postgres db, Listeners listeners, CertificateAuthority authority)
{
    /// <exception cref="NotFoundException">There is no such repository.</exception>
    /// <exception cref="ConflictException">It is not behind a gateway.</exception>
    public async Task<GatewayUser> Handle(Caller caller, CreateGatewayUserRequest request, CancellationToken ct)
    {
        await caller.Must(Right.SecretReveal, request.Id, ct);
        await using var tx = await db.Begin(ct);
        var kind = await tx.First("select l.kind from repository r join location l on l.id = r.location_id where r.id = $1", [request.Id],
            row => (LocationKind?)row.Word<LocationKind>("kind"), ct) ?? throw new NotFoundException("A repository with this id");
        if (kind != LocationKind.Gateway)
            throw new ConflictException("gateway.not_behind", "This repository is not behind the gateway.",
                "Open it where it is; its page says how.");
        using var password = Secret.Random(24);
        await tx.Execute("""
            insert into gateway_user (repository_id, hash, created_by) values ($1, $2, $3)
            on conflict (repository_id) do update set hash = excluded.hash, created_by = excluded.created_by, created_at = clock()
            """, [request.Id, TokenHash.Of(password.Reveal()), caller.Name], ct);
        await Audit.Add(tx, caller, "gateway.user_create", request.Id.ToString(), "", ct);
        await tx.Commit(ct);
        var url = $"rest:{listeners.AgentsPublicUrl}/gateway/{request.Id}/";
        return new GatewayUser(url, request.Id.ToString(), password.Reveal(), authority.AuthorityPem);
    }
}

/// <summary>Ends the user of a repository; one that was never made is an ordinary answer.</summary>
public sealed class RemoveGatewayUser(Postgres db)
{
    public async Task Handle(Caller caller, RemoveGatewayUserRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        await using var tx = await db.Begin(ct);
        if (await tx.Execute("delete from gateway_user where repository_id = $1", [request.Id], ct) == 0) return;
        await Audit.Add(tx, caller, "gateway.user_remove", request.Id.ToString(), "", ct);
        await tx.Commit(ct);
    }
}
