using BackupDr.Scheduler;
using BackupDr.Scheduler.ControlPlane;

return args is ["rebuild", ..] ? await Rebuild.Run(args[1..], Console.Out, Console.Error, CancellationToken.None)
    : await SchedulerNode.Run(args);
