using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Storage;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

namespace BackupDr.Scheduler.Tests.Gateway;

/// <summary>What every store promises holds for the gateway over a bad network, too.</summary>
public sealed class GatewayBehindFaultsTests(SchedulerDatabases databases) : ObjectStoreContract
{
    GatewayRig _rig = null!;
    FaultProxy _proxy = null!;

    protected override int ManyObjects => 300;

    protected override async ValueTask Prepare()
    {
        _rig = await GatewayRig.Start(databases, isFree: true);
        _proxy = await FaultProxy.Start(_rig.Node.Agents, FaultPlan.EachInTurn(), _rig.Way());
    }

    protected override IObjectStore Make() => _rig.OpenOver(_proxy);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await _proxy.DisposeAsync();
        await _rig.DisposeAsync();
    }
}
