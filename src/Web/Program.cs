using BackupDr.Scheduler;
using BackupDr.Web;

return await SchedulerNode.Run(args, ConsoleRole.Add, ConsoleRole.Map);
