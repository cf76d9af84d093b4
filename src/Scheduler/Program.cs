using BackupDr.Scheduler;

return await SchedulerNode.Run(args);
