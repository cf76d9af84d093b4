using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Agent;

/// <summary>Opens the stores that jobs and requests name, each with the layer that retries.</summary>
public sealed class AgentStores(AgentIdentity identity)
{
    /// <summary>How long one place is asked again and again while there is another one.</summary>
    static readonly TimeSpan PatienceWithOthersThere = TimeSpan.FromSeconds(15);

    /// <summary>The store of a repository. Only our own node's gateway is shown this host's certificate. Credentials that came with the job
    /// are used alone: a variable of this machine must not complete or replace them.</summary>
    public IObjectStore Open(RepositoryAccess access)
        => Open(access.Url, access.Options, access.Variables, access.AuthorityPem, access.IsGateway,
            hasOthers: access.Replicas is { Count: > 0 });

    /// <summary>All places of a repository, its own first.</summary>
    public IReadOnlyList<(LocationId? Location, IObjectStore Store)> OpenAll(RepositoryAccess access)
        => [(access.Location, Open(access)), .. (access.Replicas ?? []).Select(place => ((LocationId?)place.Location,
            Open(place.Url, place.Options, place.Variables, place.AuthorityPem, isGateway: false, hasOthers: true)))];

    /// <summary>One store over all places of a repository, from which each object is read where it can be.</summary>
    /// <exception cref="StoreException">No place answers.</exception>
    public async Task<IObjectStore> OpenToRead(RepositoryAccess access, CancellationToken ct)
        => access.Replicas is { Count: > 0 }
            ? await ReplicatedStore.Open([.. OpenAll(access).Select(place => place.Store)], ReplicaUse.Read, TimeProvider.System, ct)
            : Open(access);

    IObjectStore Open(string url, IReadOnlyList<string>? given, IReadOnlyDictionary<string, string>? variables, string? authorityPem,
        bool isGateway, bool hasOthers)
    {
        var options = new StoreOptions(given ?? []) { AuthorityPem = authorityPem };
        if (variables is not null) options = options with { Environment = name => variables.GetValueOrDefault(name) };
        if (isGateway) options = options with { ClientCertificate = () => identity.Certificate, Authority = identity.Authority };
        if (hasOthers) options = options with { Retry = options.Retry with { Budget = PatienceWithOthersThere } };
        return new RetryingStore(StoreFactory.Open(url, options), options.Retry, options.Clock);
    }
}
