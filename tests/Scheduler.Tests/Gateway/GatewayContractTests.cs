using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.TestKit.Stores;

namespace BackupDr.Scheduler.Tests.Gateway;

/// <summary>The gateway's client and the gateway together are a store like any other.</summary>
public sealed class GatewayContractTests(SchedulerDatabases databases) : ObjectStoreContract
{
    GatewayRig _rig = null!;

    // Behind it is a folder, whose puts wait for the disk.
    protected override int ManyObjects => 1_000;

    protected override async ValueTask Prepare() => _rig = await GatewayRig.Start(databases, isFree: true);

    protected override IObjectStore Make() => _rig.Open();

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _rig.DisposeAsync();
    }
}
