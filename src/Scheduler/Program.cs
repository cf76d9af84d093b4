using BackupDr.Scheduler;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Runbooks.Bundles;

return args switch
{
    ["rebuild", ..] => await Rebuild.Run(args[1..], Console.Out, Console.Error, CancellationToken.None),
    ["run-bundle", ..] => await BundleProgram.Run(args[1..], Console.Out, Console.Error),
    _ => await SchedulerNode.Run(args),
};
