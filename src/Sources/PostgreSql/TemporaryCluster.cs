using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;

namespace BackupDr.Sources.PostgreSql;

/// <summary>How a cluster is put up for a while as it was at a moment.</summary>
public sealed record TemporaryClusterOptions
{
    /// <summary>Where <see cref="Below"/> is where nobody says otherwise.</summary>
    public const string DefaultFolder = "/var/tmp";

    /// <summary>The moment.</summary>
    public RecoveryTarget Target { get; init; } = RecoveryTarget.Latest;
    /// <summary>Which cluster; null where the repository holds only one.</summary>
    public string? SystemIdentifier { get; init; }
    /// <summary>The beginning of the id of the base backup; null for the best.</summary>
    public string? Base { get; init; }
    /// <summary>Absolute path of a folder with room for the cluster, which the server's user can enter: a folder is made in it, and
    /// removed at the end. What a killed run left there is removed first.</summary>
    public string Below { get; init; } = DefaultFolder;
    /// <summary>Folder of the server's programs; null for the installed ones of the backup's version.</summary>
    public string? Programs { get; init; }
    /// <summary>Longest recovery. Default 6 h.</summary>
    public TimeSpan RecoveryLimit { get; init; } = TimeSpan.FromHours(6);
    /// <summary>What is done about packs in an archive.</summary>
    public ThawRequest Thaw { get; init; } = new();
}

/// <summary>A cluster as it was at a moment, with a server in it that nobody else can reach; gone with its folder when it is disposed,
/// and at the next use of the same folder where this program was killed.</summary>
sealed class TemporaryCluster : IAsyncDisposable
{
    readonly Scratch _scratch;
    readonly PrivateServer _server;

    TemporaryCluster(Scratch scratch, PrivateServer server, ClusterRestoreSummary restored, string reached, TimeSpan time)
        => (_scratch, _server, Restored, Reached, Time) = (scratch, server, restored, reached, time);

    /// <summary>What was restored.</summary>
    public ClusterRestoreSummary Restored { get; }
    /// <summary>Where recovery stopped, in the server's words.</summary>
    public string Reached { get; }
    /// <summary>From the first byte read to the end of recovery.</summary>
    public TimeSpan Time { get; }
    /// <summary>Its server.</summary>
    public PrivateServer Server => _server;

    /// <summary>Restores, starts, and waits for the end of recovery.</summary>
    /// <exception cref="BadInputException">There is no such folder.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, there is no room, or the server does not start.</exception>
    /// <exception cref="RepositoryException">Damaged, Archived or Thawing.</exception>
    public static async Task<TemporaryCluster> Open(Repository repository, TemporaryClusterOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        var clock = repository.Options.Clock;
        var begun = clock.GetTimestamp();
        var scratch = Scratch.Make(options.Below);
        PrivateServer? server = null;
        try
        {
            var data = Path.Combine(scratch.Path, "data");
            var restored = await ClusterRestore.Run(repository, new ClusterRestoreOptions
            {
                Folder = data,
                Target = options.Target,
                SystemIdentifier = options.SystemIdentifier,
                Base = options.Base,
                IsDurable = false,
                Thaw = options.Thaw,
            }, progress, ct);
            server = PrivateServer.Start(restored, scratch.Path, data, options.Programs, clock);
            var reached = await server.AwaitPromotion(options.RecoveryLimit, ct);
            return new TemporaryCluster(scratch, server, restored, reached, clock.GetElapsedTime(begun));
        }
        catch
        {
            if (server is not null) await server.DisposeAsync();
            scratch.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _scratch.Dispose();
    }
}
