using BackupDr.Contracts.Jobs;
using BackupDr.Storage;
using BackupDr.Storage.Layers;

namespace BackupDr.Agent;

/// <summary>Opens the stores that jobs and requests name, each with the layer that retries.</summary>
public sealed class AgentStores(AgentIdentity identity)
{
    /// <summary>The store of a repository. Only our own node's gateway is shown this host's certificate.</summary>
    public IObjectStore Open(RepositoryAccess access)
    {
        var options = access.IsGateway
            ? new StoreOptions { ClientCertificate = () => identity.Certificate, Authority = identity.Authority } : new StoreOptions();
        return new RetryingStore(StoreFactory.Open(access.Url, options), options.Retry, options.Clock);
    }
}
