using BackupDr.Storage.Azure;
using BackupDr.Storage.Layers;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

/// <summary>What every store promises holds for Azure over a bad network, too.</summary>
public sealed class AzureBehindFaultsTests(AzuriteServer server) : ObjectStoreContract
{
    static readonly TimeSpan Stalled = TimeSpan.FromSeconds(3);
    static readonly RetryOptions Retry = new() { FirstPause = TimeSpan.FromMilliseconds(2), Budget = TimeSpan.FromSeconds(60) };

    FaultProxy _proxy = null!;
    AzureAddress _address = null!;

    protected override int ManyObjects => 300;

    protected override async ValueTask Prepare()
    {
        _address = await server.NewContainer("some/prefix");
        _proxy = await FaultProxy.Start(new Uri(server.Endpoint), FaultPlan.EachInTurn());
    }

    protected override IObjectStore Make()
    {
        var options = AzuriteServer.OptionsWith(server.WordsAt(new Uri(_proxy.Url))) with { Retry = Retry };
        return new RetryingStore(new AzureStore(_address, options, pageNames: 90, stallPatience: Stalled), Retry, TimeProvider.System);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_proxy is not null) await _proxy.DisposeAsync();
    }
}
