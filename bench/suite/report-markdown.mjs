export const markdownReport = (record) => JSON.stringify(record);
