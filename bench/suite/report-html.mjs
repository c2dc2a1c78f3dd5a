export const htmlReport = (record) => JSON.stringify(record);
