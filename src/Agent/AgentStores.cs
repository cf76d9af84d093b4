using BackupDr.Contracts.Jobs;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Agent;

/// <summary>Opens the stores that jobs and requests name, each with the layer that retries.</summary>
public sealed class AgentStores(AgentIdentity identity)
{
    /// <summary>The store of a repository. Only our own node's gateway is shown this host's certificate. Credentials that came with the job
    /// are used alone: a variable of this machine must not complete or replace them.</summary>
    public IObjectStore Open(RepositoryAccess access)
    {
        var options = new StoreOptions(access.Options ?? []);
        if (access.Variables is { } given) options = options with { Environment = name => given.GetValueOrDefault(name) };
        if (access.IsGateway)
            options = options with { ClientCertificate = () => identity.Certificate, Authority = identity.Authority };
        return new RetryingStore(StoreFactory.Open(access.Url, options), options.Retry, options.Clock);
    }
}
